package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// service is a running server and what is asked of it.
type service struct {
	listenAfter time.Duration
	readyAfter  time.Duration
	drain       time.Duration
	work        time.Duration
	crashAfter  time.Duration
	allocate    int
	need        string
	lease       string

	hostname string
	readyAt  time.Time
	draining atomic.Bool
	memory   [][]byte // kept, so that it counts
}

func serve(arguments []string) error {
	s := &service{}
	address := ":8080"
	flags := flag.NewFlagSet("shop serve", flag.ExitOnError)
	flags.StringVar(&address, "listen", address, "address to listen on")
	flags.DurationVar(&s.listenAfter, "listen-after", 0, "time until it listens")
	flags.DurationVar(&s.readyAfter, "ready-after", 0, "time from listening until /ready says so")
	flags.DurationVar(&s.drain, "drain", 0, "time it goes on serving when it is asked to end; 0: it ends at once, whatever is under way")
	flags.DurationVar(&s.work, "work", 5*time.Millisecond, "time that each request takes")
	flags.DurationVar(&s.crashAfter, "crash-after", 0, "time until it crashes; 0: never")
	flags.IntVar(&s.allocate, "allocate", 0, "MiB of memory to use")
	flags.StringVar(&s.need, "need", "", "name of an environment variable it does not start without")
	flags.StringVar(&s.lease, "lease", "", "name of a Lease through which the pods elect their leader")
	flags.Parse(arguments)
	if s.need != "" && os.Getenv(s.need) == "" {
		return fmt.Errorf("the environment variable %s is not set", s.need)
	}
	s.hostname, _ = os.Hostname()
	return s.run(address)
}

func (s *service) run(address string) error {
	end := terminated()
	say("pod %s starts", s.hostname)
	say("reading the price list")
	say("reading the catalogue")
	say("each request takes %s", s.work)
	s.grow()
	if s.crashAfter > 0 {
		say("connecting to the orders database")
		time.AfterFunc(s.crashAfter, func() {
			say("the orders database does not answer")
			say("giving up")
			os.Exit(1)
		})
	}
	select {
	case <-time.After(s.listenAfter):
	case <-end:
		return nil
	}

	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.readyAt = time.Now().Add(s.readyAfter)
	server := &http.Server{Handler: s.handler()}
	go server.Serve(listener)
	say("listening on %s", address)
	leave, err := s.join()
	if err != nil {
		return err
	}

	<-end
	leave()
	if s.drain == 0 {
		say("ends at once")
		return nil
	}
	say("drains for %s", s.drain)
	s.draining.Store(true)
	time.Sleep(s.drain)
	// What is under way is finished; connections that were idle all the time are closed.
	return server.Shutdown(context.Background())
}

// join takes part in the election, if there is one; what it returns ends that.
func (s *service) join() (func(), error) {
	if s.lease == "" {
		return func() {}, nil
	}
	m, err := newMember(s.lease, s.hostname)
	if err != nil {
		return nil, err
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		m.run(end)
		close(ended)
	}()
	return func() {
		close(end)
		<-ended
	}, nil
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(s.readyAt) {
			http.Error(w, "not ready yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(s.work)
		if s.draining.Load() {
			w.Header().Set("Connection", "close") // the next request finds another pod
		}
		fmt.Fprintln(w, s.hostname)
	})
	return mux
}

// grow uses memory, a MiB at a time, each page written to.
func (s *service) grow() {
	if s.allocate > 0 {
		say("using %d MiB", s.allocate)
	}
	for range s.allocate {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		s.memory = append(s.memory, block)
	}
}

func say(words string, values ...any) {
	fmt.Printf(words+"\n", values...)
}
