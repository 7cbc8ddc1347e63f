// Command shop is the sample application of the lab: a small HTTP server that behaves well or badly on demand, the
// load that is sent to it, and the process that holds a pod's namespaces. One static program, so that an image is
// this file and nothing else.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var commands = map[string]func([]string) error{
	"serve": serve,
	"load":  load,
	"stop":  stop,
	"pause": pause,
}

func main() {
	var run func([]string) error
	if len(os.Args) > 1 {
		run = commands[os.Args[1]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: shop serve|load|stop|pause [FLAG ...]; shop serve -help tells the flags")
		os.Exit(2)
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// terminated returns a channel that gets a value when the program is asked to end.
func terminated() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	return signals
}

// pause does nothing until it is ended: what a pod's sandbox is made of.
func pause([]string) error {
	<-terminated()
	return nil
}

// stop asks the first process of its container to end; an image of one file has no kill.
func stop([]string) error {
	return syscall.Kill(1, syscall.SIGTERM)
}
