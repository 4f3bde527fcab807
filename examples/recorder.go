// Records what clients of a Redis server are told, as JSON lines for cairn check (docs/first-hour.md).
//
// Usage: go run recorder.go SECONDS WRITE_PORT [READ_PORT ...] > history.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const clients, keys = 6, 4

type event struct {
	Process int64  `json:"process"`
	Type    string `json:"type"`
	F       string `json:"f"`
	Key     int    `json:"key"`
	Value   any    `json:"value"` // nil: of a read that begins, or that found nothing
	Time    int64  `json:"time"`
}

var (
	lock             sync.Mutex // one lock: lines stand in the order in which things happened
	out              = json.NewEncoder(os.Stdout)
	began            = time.Now()
	processes, value int64
)

func record(e event, kind string) {
	lock.Lock()
	defer lock.Unlock()
	e.Type, e.Time = kind, time.Since(began).Nanoseconds()
	if err := out.Encode(e); err != nil {
		fmt.Fprintln(os.Stderr, "can't write the history:", err)
		os.Exit(1)
	}
}

type stream struct {
	net.Conn
	reader *bufio.Reader
}

func (s *stream) line() (string, error) {
	line, err := s.reader.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// The reply's first line, and of a text the text.
func (s *stream) ask(words ...string) (kind byte, text string, err error) {
	request := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		request += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	s.SetDeadline(time.Now().Add(time.Second))
	if _, err = io.WriteString(s, request); err != nil {
		return
	}
	if text, err = s.line(); err != nil {
		return
	}
	if text == "" {
		return 0, "", io.ErrUnexpectedEOF
	}
	kind = text[0]
	if kind == '$' && text != "$-1" {
		text, err = s.line()
	}
	return
}

// One operation. An error: no answer came, so that it may happen at any later time.
func operate(e *event, streams map[string]*stream, port string) (kind string, err error) {
	s := streams[port]
	if s == nil {
		connection, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
		if err != nil {
			return "", err
		}
		s = &stream{connection, bufio.NewReader(connection)}
		streams[port] = s
	}
	key := fmt.Sprintf("run%d:%d", began.UnixNano(), e.Key) // of this run alone
	words := []string{"GET", key}
	if e.F == "write" {
		words = []string{"SET", key, fmt.Sprint(e.Value)}
	}
	first, text, err := s.ask(words...)
	if err != nil {
		return "", err
	}
	if first == '-' { // an error reply: it was not executed
		return "fail", nil
	}
	if e.F == "read" && text != "$-1" {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", err
		}
		e.Value = number
	}
	return "ok", nil
}

func client(end time.Time, write string, reads []string) {
	process, streams := atomic.AddInt64(&processes, 1)-1, map[string]*stream{}
	for time.Now().Before(end) {
		e := event{Process: process, F: "read", Key: rand.Intn(keys)}
		port := reads[rand.Intn(len(reads))]
		if rand.Intn(2) == 0 {
			e.F, e.Value, port = "write", atomic.AddInt64(&value, 1), write
		}
		record(e, "invoke") // before the request leaves
		kind, err := operate(&e, streams, port)
		if err == nil {
			record(e, kind) // after the answer came
			continue
		}
		record(e, "info")
		for _, s := range streams {
			s.Close()
		}
		process, streams = atomic.AddInt64(&processes, 1)-1, map[string]*stream{}
		time.Sleep(100 * time.Millisecond)
	}
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: recorder SECONDS WRITE_PORT [READ_PORT ...] > history.jsonl")
		os.Exit(2)
	}
	seconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "SECONDS is a number:", err)
		os.Exit(2)
	}
	reads := os.Args[3:]
	if len(reads) == 0 {
		reads = os.Args[2:3]
	}
	rand.Seed(time.Now().UnixNano())
	var all sync.WaitGroup
	for i := 0; i < clients; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			client(began.Add(time.Duration(seconds)*time.Second), os.Args[2], reads)
		}()
	}
	all.Wait()
}
