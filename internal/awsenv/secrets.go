package awsenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
)

const (
	secretsTTL     = 15 * time.Minute // plus up to a quarter, so that the functions do not ask all at once
	forceGap       = time.Minute      // forged pushes must not make us ask more often
	refreshTimeout = 800 * time.Millisecond

	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// secretValue is one version of a secret. It prints as [redacted].
type secretValue struct{ version, text string }

func (secretValue) String() string          { return "[redacted]" }
func (secretValue) GoString() string        { return "[redacted]" }
func (secretValue) LogValue() slog.Value    { return slog.StringValue("[redacted]") }
func (v secretValue) present() bool         { return v.version != "" }
func (v secretValue) is(o secretValue) bool { return v.version == o.version }

// heldSecret is what a group's secret says now and said before. WeChat and we cannot change at the same instant, so
// a push and a sealed box may still need the one before; WeChat knows only one AppKey and AppSecret, so there the
// one before is of no use and is not asked for.
type heldSecret struct{ current, previous secretValue }

// secrets is the cache. It never gives up a value it has: when Secrets Manager does not answer, the old ones serve on.
type secrets struct {
	client *secretsmanager.Client
	ids    map[backend.Groups]string // ARN or name
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	held    map[backend.Groups]heldSecret
	until   time.Time // then they are asked for again
	forced  time.Time // when they were last asked for before that
	doubted bool
}

// secretVariables lead to the secrets.
var secretVariables = map[backend.Groups]string{
	backend.GroupPush: setPush, backend.GroupMerchant: setMerchant, backend.GroupSeal: setSeal,
}

// load reads all secrets for the first time, in parallel. The errors name the variable that leads to the secret.
func (s *secrets) load(ctx context.Context) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = map[backend.Groups]heldSecret{}
	return s.fetchAll(ctx)
}

// doubt says that a secret we hold did not fit. The next refresh asks for newer ones, at most once in a minute.
func (s *secrets) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted = true
}

// refresh asks for newer values when it is time to, and reports whether there are any. One caller asks; the others go
// on with what is held.
func (s *secrets) refresh(ctx context.Context) bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	now := s.now()
	force := s.doubted && now.Sub(s.forced) >= forceGap
	if now.Before(s.until) && !force {
		return false
	}
	if force {
		s.forced, s.doubted = now, false
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	before := maps.Clone(s.held)
	for _, err := range s.fetchAll(ctx) {
		s.log.WarnContext(ctx, "a secret could not be read again, the old value serves on", "error", err)
	}
	for group, held := range s.held {
		if !held.current.is(before[group].current) {
			return true
		}
	}
	return false
}

// fetchAll asks for every secret at once. What could not be read stays, and is asked for again in a minute.
func (s *secrets) fetchAll(ctx context.Context) []error {
	type result struct {
		group backend.Groups
		held  heldSecret
		err   error
	}
	results := make(chan result)
	for group, id := range s.ids {
		old := s.held[group]
		go func() {
			held, err := s.fetch(ctx, group, id, old)
			results <- result{group, held, err}
		}()
	}
	var failed []error
	for range s.ids {
		r := <-results
		if r.err != nil {
			failed = append(failed, r.err)
			continue
		}
		s.held[r.group] = r.held
	}
	s.until = s.now().Add(secretsTTL + rand.N(secretsTTL/4))
	if len(failed) > 0 {
		s.until = s.now().Add(forceGap)
	}
	return failed
}

// fetch reads one secret: both versions at once when none is known, else the one before only if the current changed.
func (s *secrets) fetch(ctx context.Context, group backend.Groups, id string, old heldSecret) (heldSecret, error) {
	wantsPrevious := group != backend.GroupMerchant
	if !old.current.present() && wantsPrevious {
		return s.fetchBoth(ctx, group, id)
	}
	current, err := s.version(ctx, id, stageCurrent)
	if err != nil || current.is(old.current) {
		return old, secretProblem(group, err)
	}
	held := heldSecret{current: current}
	if wantsPrevious {
		held.previous, err = s.previous(ctx, id)
	}
	return held, secretProblem(group, err)
}

func (s *secrets) fetchBoth(ctx context.Context, group backend.Groups, id string) (held heldSecret, err error) {
	var previousErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		held.previous, previousErr = s.previous(ctx, id)
	}()
	current, err := s.version(ctx, id, stageCurrent)
	<-done
	held.current = current
	return held, secretProblem(group, cmp.Or(err, previousErr))
}

// previous is the version before the current one; none is no error.
func (s *secrets) previous(ctx context.Context, id string) (secretValue, error) {
	v, err := s.version(ctx, id, stagePrevious)
	var absent *types.ResourceNotFoundException
	if errors.As(err, &absent) {
		return secretValue{}, nil
	}
	return v, err
}

func (s *secrets) version(ctx context.Context, id, stage string) (secretValue, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: &stage})
	if err != nil {
		return secretValue{}, err
	}
	if aws.ToString(out.SecretString) == "" {
		return secretValue{}, errors.New("it has no text: put the JSON in as SecretString")
	}
	return secretValue{version: aws.ToString(out.VersionId), text: *out.SecretString}, nil
}

// secretProblem names the variable that leads to the secret, and says what to do where that is known.
func secretProblem(group backend.Groups, err error) error {
	if err == nil {
		return nil
	}
	name := secretVariables[group]
	var absent *types.ResourceNotFoundException
	if errors.As(err, &absent) {
		return fmt.Errorf("%s: the secret does not exist or has no value yet: aws secretsmanager put-secret-value (%w)", name, err)
	}
	return fmt.Errorf("%s: the secret cannot be read: %w", name, err)
}
