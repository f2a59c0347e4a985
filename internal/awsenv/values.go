package awsenv

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/session"
)

// fill puts the values of the secrets into a configuration: the current ones first, the ones before behind them.
func (s *secrets) fill(cfg *backend.Config) []error {
	s.mu.Lock()
	held := maps.Clone(s.held)
	s.mu.Unlock()
	var problems []error
	add := func(variable string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", variable, err))
		}
	}
	if h := held[backend.GroupPush]; h.current.present() {
		add(setPush, fillPush(&cfg.Push, h))
	}
	if h := held[backend.GroupMerchant]; h.current.present() {
		add(setMerchant, h.current.decode(&cfg.Merchant))
	}
	if h := held[backend.GroupSeal]; h.current.present() {
		add(setSeal, fillSeal(&cfg.Seal, h))
	}
	return problems
}

func fillPush(out *backend.PushSecrets, h heldSecret) error {
	if err := h.current.decode(out); err != nil {
		return err
	}
	if len(out.Tokens) == 0 {
		return errors.New("tokens is missing: the Token of 消息推送, newest first")
	}
	var before backend.PushSecrets
	if !h.previous.present() || h.previous.decode(&before) != nil {
		return nil // a slip that was corrected is of no use
	}
	out.Tokens = union(out.Tokens, before.Tokens, func(t string) bool { return t != "" })
	out.AESKeys = union(out.AESKeys, before.AESKeys, func(k string) bool { return len(k) == 43 })
	return nil
}

// union adds what is well-formed and new.
func union(list, more []string, good func(string) bool) []string {
	for _, s := range more {
		if good(s) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func fillSeal(out *backend.SealSecrets, h heldSecret) error {
	key, err := h.current.sealKey()
	if err != nil {
		return err
	}
	out.Keys = [][]byte{key}
	if before, err := h.previous.sealKey(); err == nil && !bytes.Equal(before, key) {
		out.Keys = append(out.Keys, before)
	}
	return nil
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
	if err == nil && dec.More() {
		err = errors.New("malformed")
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
