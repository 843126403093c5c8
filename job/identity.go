package job

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"time"
)

const (
	keyFile         = "identity.key"
	certificateFile = "identity.crt"
	keyPEM          = "PRIVATE KEY"
	certificatePEM  = "CERTIFICATE"

	// maxCertificate caps a certificate, in bytes of DER.
	maxCertificate  = 4 << 10
	certificateLife = 20 // years
)

// Identity is what a node, a coordinator, a client or an administrator is known
// by: one Ed25519 key, which signs and authenticates links, and a self-signed
// certificate that carries name and public key into the roster.
type Identity struct {
	Name        string
	Key         ed25519.PrivateKey
	Certificate []byte // DER, self-signed
}

// String keeps the key out of errors and output.
func (id Identity) String() string { return id.Name + " (key redacted)" }

// GoString is String.
func (id Identity) GoString() string { return id.String() }

// LogValue keeps the key out of logs.
func (id Identity) LogValue() slog.Value { return slog.StringValue(id.String()) }

// NewIdentity makes a key and its certificate. Hosts are further DNS names or
// IP addresses for the certificate; peers verify by name alone.
func NewIdentity(name string, hosts []string) (*Identity, error) {
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of %s: cannot be made: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: cannot be made: %w", name, err)
	}
	now := time.Now().UTC()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour), // other machines' clocks may be behind
		NotAfter:              now.AddDate(certificateLife, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{name},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if h != name {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: cannot be made (%s): check its host names", name, oneLine(err.Error()))
	}
	if _, err := CertificateKey(der); err != nil {
		return nil, err
	}
	return &Identity{Name: name, Key: key, Certificate: der}, nil
}

// Save writes identity.key, readable by its owner alone, and identity.crt into
// dir. It refuses to replace a key.
func (id *Identity) Save(dir string) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		return fmt.Errorf("key of %s: cannot be written: %w", id.Name, err)
	}
	if err := saveSecret(filepath.Join(dir, keyFile), keyPEM, pkcs8); err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, certificateFile), encodePEM(certificatePEM, id.Certificate), 0o644)
}

// LoadIdentity reads what Save wrote. A key that others may read is refused.
func LoadIdentity(dir string) (*Identity, error) {
	path := filepath.Join(dir, keyFile)
	pkcs8, err := loadSecret(path, keyPEM)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: not an Ed25519 private key: restore it from your copy", path)
	}
	path = filepath.Join(dir, certificateFile)
	b, err := ReadFile(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	der, err := decodePEM(path, certificatePEM, b)
	if err != nil {
		return nil, err
	}
	cert, err := parseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !bytes.Equal(cert.PublicKey.(ed25519.PublicKey), key.Public().(ed25519.PublicKey)) {
		return nil, fmt.Errorf("%s: it belongs to another key than %s beside it: restore both from one copy", path, keyFile)
	}
	if err := checkName(path+": name", cert.Subject.CommonName); err != nil {
		return nil, err
	}
	return &Identity{Name: cert.Subject.CommonName, Key: key, Certificate: der}, nil
}

// TLS returns the certificate and key for a TLS configuration.
func (id *Identity) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{id.Certificate}, PrivateKey: id.Key}
}

// CertificateKey returns the Ed25519 key of a self-signed certificate, after
// checking that its signature is its own.
func CertificateKey(der []byte) (ed25519.PublicKey, error) {
	cert, err := parseCertificate(der)
	if err != nil {
		return nil, err
	}
	return cert.PublicKey.(ed25519.PublicKey), nil
}

func parseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) == 0 || len(der) > maxCertificate {
		return nil, fmt.Errorf("certificate has %d bytes, it takes 1 to %d: use the certificate of the card", len(der), maxCertificate)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("certificate is not X.509 in DER: use the certificate of the card")
	}
	if _, ok := cert.PublicKey.(ed25519.PublicKey); !ok {
		return nil, errors.New("certificate has no Ed25519 key: make it with consilium init")
	}
	if cert.SignatureAlgorithm != x509.PureEd25519 || cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		return nil, errors.New("certificate is not signed by its own key: make it with consilium init")
	}
	return cert, nil
}

// checkCertificate checks a certificate in a roster or card: its key, and that
// it carries the name under which links verify it.
func checkCertificate(what, name string, der []byte) (ed25519.PublicKey, error) {
	cert, err := parseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if cert.Subject.CommonName != name || cert.VerifyHostname(name) != nil {
		return nil, fmt.Errorf("%s: its certificate is for %s: use name and certificate of one card", what, quoted(cert.Subject.CommonName))
	}
	return cert.PublicKey.(ed25519.PublicKey), nil
}
