package localenv

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Files of the data folder.
const (
	configFile  = "config.json"    // ids and secrets of the simulated mini-program, mode 0600
	goodsFile   = "goods.yaml"     // what is sold
	ordersFile  = "orders.db"      // everything of ours
	journalFile = "wechat.journal" // everything of the simulated WeChat
	lockFile    = "lock"           // held by the process that uses the folder
)

//go:embed goods.yaml
var exampleGoods []byte

// folder is a data folder that can be used.
type folder string

// openFolder makes the folder and fills in what is missing; what is there stays as it is. It invents products only where
// no others are given.
func openFolder(path string, ownGoods bool) (folder, error) {
	f := folder(path)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return f, fmt.Errorf("the data folder %s cannot be used: %w", path, cause(err))
	}
	if ownGoods {
		if err := f.writeOnce(goodsFile, exampleGoods, 0o644); err != nil {
			return f, err
		}
	}
	raw, err := json.MarshalIndent(newConfig(), "", "  ")
	if err != nil {
		return f, err
	}
	return f, f.writeOnce(configFile, append(raw, '\n'), 0o600)
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// writeOnce writes a file that is not there.
func (f folder) writeOnce(name string, content []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = file.Write(content)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be used: %w", f, cause(err))
	}
	return nil
}

// config reads the configuration. A key that lies open to others is refused.
func (f folder) config() (backend.Config, error) {
	var cfg backend.Config
	path := f.path(configFile)
	info, err := os.Stat(path)
	if err != nil {
		return cfg, fmt.Errorf("the data folder %s cannot be used: %w", f, cause(err))
	}
	if info.Mode().Perm()&0o077 != 0 {
		return cfg, fmt.Errorf("%s holds secrets and can be read by others: chmod 600 %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return cfg, fmt.Errorf("the data folder %s cannot be used: %w", f, cause(err))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields() // a misspelt name would be a missing key
	if err := dec.Decode(&cfg); err != nil {
		return cfg, fmt.Errorf("%s is not the expected JSON (%w): mend it, or delete it to get a new one", path, jsonReason(err))
	}
	if err := cfg.Check(); err != nil {
		return cfg, fmt.Errorf("%s is not complete:\n%w", path, err)
	}
	return cfg, nil
}

// jsonReason says what is wrong without quoting a value: the file holds secrets.
func jsonReason(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return errors.New("unknown field " + name)
	}
	return errors.New("malformed")
}

// newConfig invents a mini-program: nothing of it is real.
func newConfig() backend.Config {
	c := backend.Config{AppID: "wx" + random(8), OfferID: "1450000001", Env: xpay.Production}
	c.Merchant.AppSecret = random(16)
	c.Merchant.AppKeys.Production = random(16)
	c.Merchant.AppKeys.Sandbox = random(16)
	c.Push.Tokens = []string{random(8)}
	c.Push.AESKeys = []string{newAESKey()}
	key := make([]byte, 32)
	rand.Read(key)
	c.Seal.Keys = [][]byte{key}
	return c
}

// random returns n random bytes in hex.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// newAESKey makes an EncodingAESKey: 43 letters and digits (spec 3.7).
func newAESKey() string {
	for {
		b := make([]byte, 32)
		rand.Read(b)
		if key := base64.RawStdEncoding.EncodeToString(b); !hasSymbol(key) {
			return key
		}
	}
}

func hasSymbol(s string) bool {
	for _, c := range s {
		if c == '+' || c == '/' {
			return true
		}
	}
	return false
}

// cause is the reason behind a path error, without the path again.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
