// Package goodsplan brings the goods of goods.yaml to WeChat: it compares them with what WeChat was told before, says
// what is to be done, and does it one at a time. WeChat has no API that lists goods, so the receipts kept here and the
// last task of each kind are all that can be known. Spec 4.11.
package goodsplan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

// Receipt is what WeChat was told about one product, and when. Times are UTC; a zero time has not come.
type Receipt struct {
	Name           string    `json:"name"`
	Price          xpay.Fen  `json:"price"` // fen
	Remark         string    `json:"remark"`
	UploadStarted  time.Time `json:"uploadStarted,omitzero"`
	Uploaded       time.Time `json:"uploaded,omitzero"`
	PublishStarted time.Time `json:"publishStarted,omitzero"`
	Published      time.Time `json:"published,omitzero"`
	Adopted        bool      `json:"adopted,omitempty"` // somebody compared it with the console; WeChat did not say so
}

// Shop is the goods of one OfferID in one env.
type Shop struct {
	OfferID string             `json:"offerId"`
	Env     xpay.Env           `json:"env"`
	Goods   map[string]Receipt `json:"goods"` // by product id
}

// Book is the file of receipts. It holds no secrets.
type Book struct {
	path  string
	shops []*Shop
}

type bookFile struct {
	Version int     `json:"version"`
	Shops   []*Shop `json:"shops"`
}

const bookVersion = 1

// Open reads the file of receipts; one that is not there is an empty Book.
func Open(path string) (*Book, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Book{path: path}, nil
	}
	var f bookFile
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		err = dec.Decode(&f)
	}
	if err == nil && f.Version != bookVersion {
		err = fmt.Errorf("version %d, this program reads %d", f.Version, bookVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("the receipts in %s cannot be read (%w): mend the file, or move it away and adopt the goods again. 回执文件无法读取：请修复，或移走后重新 --adopt", path, err)
	}
	return &Book{path: path, shops: f.Shops}, nil
}

// Lock keeps other processes away from the receipts in a file until unlock is called or the process ends: each writes the
// file as a whole, from what it read.
func Lock(path string) (unlock func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the receipts cannot be kept: %w. 回执无法保存", err)
	}
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the receipts cannot be kept: %w. 回执无法保存", err)
	}
	if err := exclusive(file); err != nil {
		return nil, errors.Join(fmt.Errorf("another xpay goods works with %s: wait until it has ended. 另一个 xpay goods 正在运行，请等待", path), file.Close())
	}
	return file.Close, nil
}

// Shop finds the goods of an OfferID in an env; they are empty at first.
func (b *Book) Shop(offerID string, env xpay.Env) *Shop {
	for _, s := range b.shops {
		if s.OfferID == offerID && s.Env == env {
			if s.Goods == nil {
				s.Goods = map[string]Receipt{}
			}
			return s
		}
	}
	s := &Shop{OfferID: offerID, Env: env, Goods: map[string]Receipt{}}
	b.shops = append(b.shops, s)
	return s
}

// Save replaces the file as a whole: a crash leaves the old one or the new one.
func (b *Book) Save() error {
	raw, err := json.MarshalIndent(bookFile{bookVersion, b.shops}, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(b.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the receipts cannot be kept: %w. 回执无法保存", err)
	}
	f, err := os.CreateTemp(dir, ".goods-receipts-*")
	if err != nil {
		return fmt.Errorf("the receipts cannot be kept: %w. 回执无法保存", err)
	}
	_, err = f.Write(append(raw, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), b.path)
	}
	if err != nil {
		return fmt.Errorf("the receipts cannot be kept: %w. 回执无法保存", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
