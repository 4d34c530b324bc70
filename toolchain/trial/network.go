package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

type networkFile struct {
	Health   string    `json:"health"`
	Services []service `json:"services"`
	Ingress  *ingress  `json:"ingress"`
}

// instance is a server behind a Service, and where it tells whether it takes traffic.
type instance struct {
	Address string `json:"address"`
	Health  string `json:"health"`
}

// service is an address that stands for several instances.
type service struct {
	Listen    string     `json:"listen"`
	Instances []instance `json:"instances"`
}

// ingress ends TLS and passes requests on by HTTP.
type ingress struct {
	Listen      string     `json:"listen"`
	Certificate string     `json:"certificate"`
	Key         string     `json:"key"`
	Instances   []instance `json:"instances"`
}

// The readiness probe of the pods: asked every period, and not ready after so many failures.
const (
	probePeriod   = 5 * time.Second
	probeTimeout  = 3 * time.Second
	probeFailures = 3
)

// dialer connects to the instances that are ready, in turn. One that refuses is passed over.
func dialer(instances []instance) func() (net.Conn, error) {
	var next atomic.Uint64
	unready := make([]atomic.Bool, len(instances))
	for i := range instances {
		go probe(instances[i].Health, &unready[i])
	}
	return func() (net.Conn, error) {
		first := next.Add(1)
		problem := errors.New("no instance is ready")
		for step := range uint64(len(instances)) {
			i := (first + step) % uint64(len(instances))
			if unready[i].Load() {
				continue
			}
			connection, err := net.DialTimeout("tcp", instances[i].Address, probeTimeout)
			if err == nil {
				return connection, nil
			}
			problem = err
		}
		return nil, problem
	}
}

// probe asks a server for its health for as long as this program runs.
func probe(url string, unready *atomic.Bool) {
	client := &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	failures := 0
	for ; ; time.Sleep(probePeriod) {
		answer, err := client.Get(url)
		if err == nil {
			answer.Body.Close()
		}
		if err == nil && answer.StatusCode/100 == 2 {
			failures = 0
			unready.Store(false)
		} else if failures++; failures >= probeFailures {
			unready.Store(true)
		}
	}
}

func (s service) serve() error {
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	dial := dialer(s.Instances)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go func() {
				server, err := dial()
				if err != nil {
					client.Close()
					return
				}
				relay(client.(*net.TCPConn), server.(*net.TCPConn))
			}()
		}
	}()
	return nil
}

// relay passes bytes both ways until both sides have ended.
func relay(client, server *net.TCPConn) {
	defer client.Close()
	defer server.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		pass(client, server)
	}()
	pass(server, client)
	<-sent
}

// pass copies until the sender has ended, and tells the receiver so.
func pass(from, to *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		from.Close()
		to.Close()
		return
	}
	to.CloseWrite()
}

func (i *ingress) serve() error {
	certificate, err := tls.LoadX509KeyPair(i.Certificate, i.Key)
	if err != nil {
		return err
	}
	secured := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	listener, err := tls.Listen("tcp", i.Listen, secured)
	if err != nil {
		return err
	}
	dial := dialer(i.Instances)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(&url.URL{Scheme: "http", Host: i.Instances[0].Address})
			// What a client says of itself is not passed on.
			request.SetXForwarded()
			request.Out.Host = request.In.Host
		},
		Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return dial() }},
	}
	go func() { log.Fatal(http.Serve(listener, proxy)) }()
	return nil
}

func runNetwork(path string) error {
	var file networkFile
	if err := read(path, &file); err != nil {
		return err
	}
	for _, one := range file.Services {
		if err := one.serve(); err != nil {
			return err
		}
	}
	if file.Ingress != nil {
		if err := file.Ingress.serve(); err != nil {
			return err
		}
	}
	if err := answerHealth(file.Health); err != nil {
		return err
	}
	log.Printf("%d services", len(file.Services))
	select {}
}
