package awsenv

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
)

// fill puts the values of the secrets into a configuration: the current ones first, the ones before behind them.
func (s *secrets) fill(cfg *backend.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for group, h := range s.held { // both versions were found usable
		var before backend.Config
		_ = h.current.into(cfg, group)
		if h.previous.present() && h.previous.into(&before, group) == nil {
			if group == backend.GroupMerchant {
				cfg.Merchant.Before = &before.Merchant
			}
			cfg.Push.Tokens = union(cfg.Push.Tokens, before.Push.Tokens)
			cfg.Push.AESKeys = union(cfg.Push.AESKeys, before.Push.AESKeys)
			cfg.Seal.Keys = append(cfg.Seal.Keys, before.Seal.Keys...)
			cfg.Delivery.Keys = union(cfg.Delivery.Keys, before.Delivery.Keys)
		}
	}
	cfg.Seal.Keys = slices.CompactFunc(cfg.Seal.Keys, bytes.Equal)
}

// union adds what is new.
func union(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// usable says everything that is wrong with a version of a group's secret; one that is absent is fine.
func (s *secrets) usable(group backend.Groups, v secretValue) error {
	if !v.present() {
		return nil
	}
	probe := backend.Config{AppID: "any", OfferID: "any", Env: s.env, Groups: group}
	if group == backend.GroupDelivery {
		probe.Delivery = backend.Delivery{Target: backend.TargetWebhook, URL: "https://any.example"}
	}
	if err := v.into(&probe, group); err != nil {
		return err
	}
	var problems []error
	for _, p := range joined(probe.Check()) {
		if _, rest, inSecret := strings.Cut(p.Error(), "."); inSecret && !strings.HasPrefix(p.Error(), "env ") {
			problems = append(problems, errors.New(rest))
		}
	}
	return errors.Join(problems...)
}

// into reads the value into a group of a configuration.
func (v secretValue) into(cfg *backend.Config, group backend.Groups) error {
	switch group {
	case backend.GroupPush:
		return v.decode(&cfg.Push)
	case backend.GroupMerchant:
		return v.decode(&cfg.Merchant)
	case backend.GroupDelivery:
		return v.decode(&cfg.Delivery.DeliverySecrets)
	}
	key, err := v.sealKey()
	if err == nil {
		cfg.Seal.Keys = [][]byte{key}
	}
	return err
}

// sealKey reads {"key": base64}, with or without padding: CloudFormation makes 43 letters and digits.
func (v secretValue) sealKey() ([]byte, error) {
	var secret struct {
		Key string `json:"key"`
	}
	if err := v.decode(&secret); err != nil {
		return nil, err
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(secret.Key, "="))
	if err != nil || len(key) != session.SealKeyBytes {
		return nil, errors.New("key must be 32 bytes in base64, 43 or 44 characters")
	}
	return key, nil
}

// decode reads the JSON of a secret. A misspelt name would be a missing key, so an unknown one is an error, which
// quotes names but no values.
func (v secretValue) decode(out any) error {
	dec := json.NewDecoder(strings.NewReader(v.text))
	dec.DisallowUnknownFields()
	err := dec.Decode(out)
	if _, end := dec.Token(); err == nil && end != io.EOF {
		err = errors.New("more than one value")
	}
	if err == nil {
		return nil
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("the secret has the unknown field %s", name)
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		kind, _, _ := strings.Cut(wrong.Value, " ") // a number would be quoted
		return fmt.Errorf("the secret has a %s where %q must be of another type", kind, wrong.Field)
	}
	return errors.New("the secret is not the expected JSON")
}
