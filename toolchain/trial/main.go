// Command trial runs the things that stand around a backbone and that no stack deploys, so that the whole can be tried on one machine:
//
//	trial issuer FILE   an OpenID Connect issuer, whose users the file lists and anybody may choose from
//	trial network FILE  Services of several instances as TCP relays, and the Ingress of the user interface
//	trial cluster FILE  the metrics that kubelets serve of volumes, and cert-manager of certificates
//
// It is for trying alone: the issuer asks for no password.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: trial issuer|network|cluster FILE")
	}
	var err error
	switch os.Args[1] {
	case "issuer":
		err = runIssuer(os.Args[2])
	case "network":
		err = runNetwork(os.Args[2])
	case "cluster":
		err = runCluster(os.Args[2])
	default:
		err = fmt.Errorf("%q is none of issuer, network and cluster", os.Args[1])
	}
	log.Fatal(err)
}

// read fills what from a JSON file that has no other keys.
func read(path string, what any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(what); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// answerHealth answers every request at the address with 200.
func answerHealth(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() {
		log.Fatal(http.Serve(listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	}()
	return nil
}
