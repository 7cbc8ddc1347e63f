package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	account  = "/var/run/secrets/kubernetes.io/serviceaccount/"
	leases   = "/apis/coordination.k8s.io/v1/namespaces/"
	duration = 15 * time.Second // a Lease that was not seen to change for so long has lost its holder
	interval = time.Second
	stamp    = "2006-01-02T15:04:05.000000Z07:00"
)

var errConflict = errors.New("somebody else has changed the Lease")

// lease is the part of a Lease that members of an election read and write.
type lease struct {
	Version  string `json:"apiVersion"`
	Kind     string `json:"kind"`
	Metadata struct {
		Name    string `json:"name"`
		Version string `json:"resourceVersion,omitempty"`
	} `json:"metadata"`
	Spec struct {
		Holder   string `json:"holderIdentity"`
		Seconds  int    `json:"leaseDurationSeconds"`
		Acquired string `json:"acquireTime,omitempty"`
		Renewed  string `json:"renewTime,omitempty"`
	} `json:"spec"`
}

// member takes part in an election through a Lease. Clocks are never compared: what counts is how long a member has
// itself seen the Lease unchanged.
type member struct {
	name     string // of the Lease
	pod      string
	identity string // the pod and its start, because a pod of a StatefulSet comes back with its name
	url      string
	client   *http.Client

	version string // of the Lease when it was seen last
	since   time.Time
	leads   bool
}

func newMember(name, pod string) (*member, error) {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return nil, err
	}
	namespace, err := os.ReadFile(account + "namespace")
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &member{
		name:     name,
		pod:      pod,
		identity: fmt.Sprintf("%s_%d", pod, time.Now().UnixNano()),
		url:      "https://" + server + leases + string(namespace) + "/leases",
		client: &http.Client{
			Timeout:   patience,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}},
		},
	}, nil
}

// run takes part until `end` is closed, and gives up the Lease then, so that nobody has to wait for its duration.
func (m *member) run(end <-chan struct{}) {
	for {
		if err := m.turn(false); err != nil && !errors.Is(err, errConflict) {
			say("election: %s", err)
		}
		select {
		case <-time.After(interval):
		case <-end:
			for m.leads && errors.Is(m.turn(true), errConflict) {
			}
			return
		}
	}
}

// turn looks at the Lease once, and takes, renews or gives it up.
func (m *member) turn(ends bool) error {
	seen, err := m.ask(http.MethodGet, "/"+m.name, nil)
	if err != nil {
		return err
	}
	if seen == nil {
		seen = &lease{Version: "coordination.k8s.io/v1", Kind: "Lease"}
		seen.Metadata.Name = m.name
	}
	if seen.Metadata.Version != m.version {
		m.version, m.since = seen.Metadata.Version, time.Now()
	}
	holder, _, _ := strings.Cut(seen.Spec.Holder, "_")
	ours := holder == m.pod // also that of a pod of this name before, or what somebody else has written
	if m.leads && !ours {
		say("no longer leads")
	}
	m.leads = ours
	if !ours && (ends || holder != "" && time.Since(m.since) < duration) {
		return nil
	}
	now := time.Now().UTC().Format(stamp)
	if seen.Spec.Holder != m.identity {
		seen.Spec.Acquired = now
	}
	seen.Spec.Holder, seen.Spec.Renewed, seen.Spec.Seconds = m.identity, now, int(duration.Seconds())
	if ends {
		seen.Spec.Holder = ""
	}
	if seen.Metadata.Version == "" {
		_, err = m.ask(http.MethodPost, "", seen)
	} else {
		_, err = m.ask(http.MethodPut, "/"+m.name, seen)
	}
	if err == nil {
		if !m.leads {
			say("leads")
		}
		m.leads = !ends
	}
	return err
}

// ask sends one request. It returns the Lease in the answer, and nil where there is none yet.
func (m *member) ask(method, path string, body *lease) (*lease, error) {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequest(method, m.url+path, &content)
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(account + "token") // anew each time, because the kubelet renews it
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "shop")
	answer, err := m.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated:
		found := &lease{}
		return found, json.NewDecoder(answer.Body).Decode(found)
	case http.StatusNotFound:
		if method == http.MethodGet {
			return nil, nil
		}
	case http.StatusConflict:
		return nil, errConflict
	}
	return nil, fmt.Errorf("%s %s: status %d", method, m.url+path, answer.StatusCode)
}
