package awsenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	secretsTTL     = 15 * time.Minute       // plus up to a quarter, so that the functions do not ask all at once
	claimedGap     = time.Minute            // forged pushes, phones and old boxes must not make us ask more often
	lookGap        = 2 * time.Second        // a push just after a look does not use that minute up: WeChat repeats it
	provenGap      = 5 * time.Second        // WeChat cannot be made to say it; while no secret fits, no call succeeds
	refreshTimeout = 400 * time.Millisecond // a push waits for it, and Apple's question has 3 s in all
	pushOverlap    = 24 * time.Hour         // how long the push secret before the current one verifies, from the rotation on

	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// secretVariables lead to the secrets.
var secretVariables = map[backend.Groups]string{
	backend.GroupPush: setPush, backend.GroupMerchant: setMerchant, backend.GroupSeal: setSeal, backend.GroupDelivery: setWebhook,
}

// secretValue is one version of a secret. It prints as [redacted].
type secretValue struct {
	version, text string
	made          time.Time
}

func (secretValue) String() string          { return "[redacted]" }
func (secretValue) GoString() string        { return "[redacted]" }
func (secretValue) LogValue() slog.Value    { return slog.StringValue("[redacted]") }
func (v secretValue) present() bool         { return v.version != "" }
func (v secretValue) is(o secretValue) bool { return v.version == o.version }

// heldSecret is what a group's secret says now and said before; both can be used. WeChat and we cannot change at the
// same instant, so a push, a sealed box, and whoever signs may still need the one before.
type heldSecret struct{ current, previous secretValue }

func (h heldSecret) is(o heldSecret) bool {
	return h.current.is(o.current) && h.previous.is(o.previous)
}

// secrets is the cache. It never gives up a value that works: when Secrets Manager does not answer, or somebody has put
// in what cannot be used, the old one serves on.
type secrets struct {
	client *secretsmanager.Client
	ids    map[backend.Groups]string // ARN or name
	env    xpay.Env                  // decides which AppKey must be there
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	held    map[backend.Groups]heldSecret
	until   time.Time // then they are asked for again
	looked  time.Time // when they were last asked for
	doubted map[backend.Groups]backend.Doubt
	forced  map[backend.Groups]time.Time // when they were last asked for because one of the group did not fit
}

// load reads all secrets for the first time, in parallel. The errors name the variable that leads to the secret.
func (s *secrets) load(ctx context.Context) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = map[backend.Groups]heldSecret{}
	_, problems := s.fetchAll(ctx)
	return problems
}

// doubt says that a secret of a group did not fit. The next refresh asks for newer ones, as often as the doubt allows.
func (s *secrets) doubt(g backend.Groups, d backend.Doubt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubted == nil {
		s.doubted, s.forced = map[backend.Groups]backend.Doubt{}, map[backend.Groups]time.Time{}
	}
	s.doubted[g] = max(s.doubted[g], d)
}

// force reports whether a doubt makes us ask now, and clears the doubts that do.
func (s *secrets) force(now time.Time) (force bool) {
	for g, d := range s.doubted {
		gap := claimedGap
		if d == backend.Proven {
			gap = provenGap
		}
		justLooked := g == backend.GroupPush && now.Sub(s.looked) < lookGap
		if now.Sub(s.forced[g]) >= gap && !justLooked {
			force, s.forced[g] = true, now
			delete(s.doubted, g)
		}
	}
	return force
}

// refresh asks for newer values when it is time to, and reports whether there are any. Who comes meanwhile waits.
func (s *secrets) refresh(ctx context.Context) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.force(now) && now.Before(s.until) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	changed, problems := s.fetchAll(ctx)
	for _, err := range problems {
		s.log.ErrorContext(ctx, "a secret could not be read again, the old value serves on", "error", err)
	}
	return changed
}

// fetchAll asks for every secret at once. What could not be read stays, and is asked for again in a minute.
func (s *secrets) fetchAll(ctx context.Context) (changed bool, problems []error) {
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
	for range s.ids {
		r := <-results
		for _, err := range joined(r.err) {
			problems = append(problems, secretProblem(r.group, err))
		}
		if r.err == nil {
			changed = changed || !r.held.is(s.held[r.group])
			s.held[r.group] = r.held
		}
	}
	s.looked = s.now()
	s.until = s.looked.Add(secretsTTL + rand.N(secretsTTL/4))
	if len(problems) > 0 {
		s.until = s.looked.Add(claimedGap)
	}
	return changed, problems
}

// fetch reads one secret: both versions at once when none is known, else the one before only if the current changed.
func (s *secrets) fetch(ctx context.Context, group backend.Groups, id string, old heldSecret) (heldSecret, error) {
	read := s.fetchCurrent
	if !old.current.present() {
		read = s.fetchBoth
	}
	held, err := read(ctx, id, old)
	if err != nil {
		return old, err
	}
	if err := s.usable(group, held.current); err != nil {
		return old, err
	}
	if s.usable(group, held.previous) != nil { // a slip, corrected since: what served meanwhile is the one before
		held.previous = old.current
	}
	if group == backend.GroupPush && s.now().Sub(held.current.made) >= pushOverlap {
		held.previous = secretValue{} // a token that leaked must not be believed for ever
	}
	return held, nil
}

func (s *secrets) fetchCurrent(ctx context.Context, id string, old heldSecret) (heldSecret, error) {
	current, err := s.version(ctx, id, stageCurrent)
	if err != nil || current.is(old.current) {
		return heldSecret{current: current, previous: old.previous}, err
	}
	previous, err := s.previous(ctx, id)
	return heldSecret{current, previous}, err
}

func (s *secrets) fetchBoth(ctx context.Context, id string, _ heldSecret) (held heldSecret, err error) {
	var previousErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		held.previous, previousErr = s.previous(ctx, id)
	}()
	held.current, err = s.version(ctx, id, stageCurrent)
	<-done
	return held, cmp.Or(err, previousErr)
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
	var absent *types.ResourceNotFoundException
	switch {
	case errors.As(err, &absent):
		return secretValue{}, fmt.Errorf("the secret does not exist or has no value yet: aws secretsmanager put-secret-value (%w)", err)
	case err != nil:
		return secretValue{}, fmt.Errorf("the secret cannot be read: %w", err)
	}
	return secretValue{aws.ToString(out.VersionId), aws.ToString(out.SecretString), aws.ToTime(out.CreatedDate)}, nil
}

// secretProblem names the variable that leads to the secret.
func secretProblem(group backend.Groups, err error) error {
	return fmt.Errorf("%s: %w", secretVariables[group], err)
}
