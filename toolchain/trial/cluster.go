package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// clusterFile lists what the servers of a cluster itself tell of a backbone: the kubelets of its volumes, cert-manager of its certificates.
type clusterFile struct {
	Listen       string        `json:"listen"`
	Namespace    string        `json:"namespace"`
	Volumes      []volume      `json:"volumes"`
	Certificates []certificate `json:"certificates"`
}

// volume is a claim, and the folder that stands for it.
type volume struct {
	Claim  string `json:"claim"`
	Folder string `json:"folder"`
}

// certificate is an object of cert-manager, and the PEM file that stands for its Secret.
type certificate struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// runCluster serves at /metrics what a kubelet (pkg/kubelet/metrics/collectors/volume_stats.go) and cert-manager (pkg/metrics) would.
func runCluster(path string) error {
	var file clusterFile
	if err := read(path, &file); err != nil {
		return err
	}
	return http.ListenAndServe(file.Listen, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		var text strings.Builder
		for _, one := range file.Volumes {
			var stats syscall.Statfs_t
			if err := syscall.Statfs(one.Folder, &stats); err != nil {
				log.Print(err)
				continue
			}
			labels := fmt.Sprintf("{namespace=%q,persistentvolumeclaim=%q}", file.Namespace, one.Claim)
			fmt.Fprintf(&text, "kubelet_volume_stats_available_bytes%s %d\n", labels, stats.Bavail*uint64(stats.Bsize))
			fmt.Fprintf(&text, "kubelet_volume_stats_capacity_bytes%s %d\n", labels, stats.Blocks*uint64(stats.Bsize))
		}
		for _, one := range file.Certificates {
			expires, err := expiry(one.File)
			if err != nil {
				log.Print(err)
				continue
			}
			labels := fmt.Sprintf("{name=%q,namespace=%q}", one.Name, file.Namespace)
			fmt.Fprintf(&text, "certmanager_certificate_expiration_timestamp_seconds%s %d\n", labels, expires)
		}
		answer.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if _, err := answer.Write([]byte(text.String())); err != nil {
			log.Print(err)
		}
	}))
}

// expiry is when the first certificate of a PEM file ends, in seconds since 1970.
func expiry(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return 0, fmt.Errorf("%s: no certificate in PEM", path)
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return parsed.NotAfter.Unix(), nil
}
