package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	patience = 5 * time.Second // for one request
	lasting  = 50              // requests on a connection that is kept
)

// figures is what came of the load, printed as JSON when it ends.
type figures struct {
	Requests int            `json:"requests"`
	Failed   int            `json:"failed"`
	Errors   map[string]int `json:"errors"` // by kind
	Pods     map[string]int `json:"pods"`   // requests answered by each
	Seconds  float64        `json:"seconds"`
	Slowest  float64        `json:"slowest"` // seconds
}

// generator sends requests over a fixed number of connections, each waiting for its answer before the next, until
// its time is over, its number of requests is spent, or it is asked to end.
type generator struct {
	address string
	pause   time.Duration
	limit   int
	until   time.Time

	lock sync.Mutex
	seen figures
	over bool
}

func load(arguments []string) error {
	g := &generator{seen: figures{Errors: map[string]int{}, Pods: map[string]int{}}}
	connections, span := 8, time.Minute
	flags := flag.NewFlagSet("shop load", flag.ExitOnError)
	flags.StringVar(&g.address, "to", "127.0.0.1:8080", "host and port")
	flags.IntVar(&connections, "connections", connections, "connections at once; every second one is made anew for each request")
	flags.DurationVar(&g.pause, "pause", 10*time.Millisecond, "time between an answer and the next request of a connection")
	flags.DurationVar(&span, "for", span, "time after which it ends")
	flags.IntVar(&g.limit, "limit", 100000, "number of requests after which it ends")
	flags.Parse(arguments)

	started := time.Now()
	g.until = started.Add(span)
	go func() {
		<-terminated()
		g.lock.Lock()
		g.over = true
		g.lock.Unlock()
	}()
	var workers sync.WaitGroup
	for number := range connections {
		each := 1
		if number%2 == 0 {
			each = lasting
		}
		workers.Go(func() { g.work(each) })
	}
	workers.Wait()
	g.seen.Seconds = time.Since(started).Seconds()
	return json.NewEncoder(os.Stdout).Encode(g.seen)
}

// work sends requests one after the other, `each` on a connection.
func (g *generator) work(each int) {
	for g.goesOn() {
		connection, err := net.DialTimeout("tcp", g.address, patience)
		if err != nil {
			g.count("", err, 0)
			time.Sleep(g.pause)
			continue
		}
		g.use(connection, each)
		connection.Close()
	}
}

// use sends up to `each` requests on one connection. There is no second try, as net/http would make one unasked: a
// request that finds its connection closed has failed.
func (g *generator) use(connection net.Conn, each int) {
	reader := bufio.NewReader(connection)
	for number := range each {
		if number > 0 && !g.goesOn() {
			return
		}
		began := time.Now()
		pod, last, err := ask(connection, reader)
		g.count(pod, err, time.Since(began))
		time.Sleep(g.pause)
		if err != nil || last {
			return
		}
	}
}

// ask sends one request; it returns which pod answered, and whether the server closes the connection.
func ask(connection net.Conn, reader *bufio.Reader) (string, bool, error) {
	connection.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"); err != nil {
		return "", true, err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return "", true, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return strings.TrimSpace(string(body)), response.Close, err
}

func (g *generator) goesOn() bool {
	g.lock.Lock()
	defer g.lock.Unlock()
	return !g.over && g.seen.Requests < g.limit && time.Now().Before(g.until)
}

func (g *generator) count(pod string, err error, took time.Duration) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.seen.Requests++
	g.seen.Slowest = max(g.seen.Slowest, took.Seconds())
	if err != nil {
		g.seen.Failed++
		g.seen.Errors[kind(err)]++
		return
	}
	g.seen.Pods[pod]++
}

// kind names an error without addresses and ports, which differ each time.
func kind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}
