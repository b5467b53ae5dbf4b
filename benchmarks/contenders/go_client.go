// go_client CREDENTIALS CONCURRENCY COOKIE fetches what standard input lists: an address, a tab and a path on each line.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

func newClient(credentials string, concurrency int) (*http.Client, error) {
	authority, err := os.ReadFile(filepath.Join(credentials, "ca.pem"))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	certificate, err := tls.LoadX509KeyPair(
		filepath.Join(credentials, "client.pem"), filepath.Join(credentials, "client.key"))
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{certificate}},
		MaxConnsPerHost:     concurrency,
		MaxIdleConnsPerHost: concurrency,
		DisableCompression:  true,
	}}, nil
}

func save(client *http.Client, address, path, cookie string) error {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Cookie", cookie)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, response.Body); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func main() {
	concurrency, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	client, err := newClient(os.Args[1], concurrency)
	if err != nil {
		log.Fatal(err)
	}
	lines := make(chan string)
	var workers sync.WaitGroup
	for i := 0; i < concurrency; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for line := range lines {
				address, path, _ := strings.Cut(line, "\t")
				if err := save(client, address, path, os.Args[3]); err != nil {
					log.Fatal(err)
				}
			}
		}()
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		lines <- input.Text()
	}
	close(lines)
	workers.Wait()
	if err := input.Err(); err != nil {
		log.Fatal(err)
	}
}
