package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"switchboard/config"
)

// newTLS reads the files that a section names; nil when TLS is off. section is the key, for messages.
func newTLS(section string, c config.TLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	out := &tls.Config{ServerName: c.ServerName, MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, &config.Error{Key: section + ".ca_file", Problem: err.Error()}
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &config.Error{Key: section + ".ca_file", Problem: "holds no certificate in PEM form"}
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, &config.Error{Key: section + ".cert_file", Problem: fmt.Sprintf("cannot be used with key_file: %v", err)}
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
