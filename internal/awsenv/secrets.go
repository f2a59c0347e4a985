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
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/pkg/xpay"
)

const (
	secretsTTL   = 15 * time.Minute       // plus up to a quarter, so that the functions do not ask all at once
	claimedGap   = time.Minute            // forged pushes, phones and boxes of one old key must not make us ask more often
	aspectsMax   = 16                     // sealing keys of which each has such a minute of its own
	lookGap      = 2 * time.Second        // a push just after a look does not use that minute up: WeChat repeats it
	provenGap    = 5 * time.Second        // WeChat cannot be made to say it; while no secret fits, no call succeeds
	waitOfPush   = 400 * time.Millisecond // for a refresh: Apple's question has 3 s in all
	waitOfOthers = 2 * time.Second        // a phone waits, or the worker
	pushOverlap  = 24 * time.Hour         // how long the push secret before the current one verifies, from the rotation on
	keysOverlap  = 7 * 24 * time.Hour     // how long a start reads the keys before the current ones unasked; later, once one does not fit

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
type heldSecret struct {
	current, previous secretValue
	asked             bool  // for the one before; without it, previous is absent because nobody looked, or could read it
	unread            error // why the one before could not be read
}

// served is what was used before a current value.
func (h heldSecret) served(current secretValue) secretValue {
	if current.is(h.current) {
		return h.previous
	}
	return h.current
}

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
	wait   time.Duration // how long a refresh may hold up a request

	mu      sync.Mutex // guards what follows
	held    map[backend.Groups]heldSecret
	until   time.Time                // then they are asked for again
	looked  time.Time                // when they were last asked for
	doubted map[aspect]bool          // and whether that is proven
	forced  map[aspect]time.Time     // when they were last asked for because of it
	failed  map[backend.Groups]error // why a group could not be read at the last look, where the next one may succeed
}

// aspect is what is doubted of the secrets: a group, or one sealing key.
type aspect struct {
	group backend.Groups
	keyID string
}

// refreshWait is how long a refresh may hold up a request of a function.
func refreshWait(has backend.Groups) time.Duration {
	if has&backend.GroupPush != 0 {
		return waitOfPush
	}
	return waitOfOthers
}

// load reads all secrets for the first time, in parallel. The errors name the variable that leads to the secret.
func (s *secrets) load(ctx context.Context) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = map[backend.Groups]heldSecret{}
	_, problems := s.fetchAll(ctx, 0)
	return problems
}

// doubt says that no secret of a group fitted. The next refresh asks for newer ones, as often as the doubt allows.
func (s *secrets) doubt(d backend.Doubt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubted == nil {
		s.doubted, s.forced = map[aspect]bool{}, map[aspect]time.Time{}
	}
	a := aspect{d.Group, d.KeyID}
	if _, known := s.forced[a]; !known && len(s.forced)+len(s.doubted) >= aspectsMax {
		a.keyID = ""
	}
	s.doubted[a] = s.doubted[a] || d.Proven
}

// unreadNow says why newer secrets of a group may be there and are not known: the next look may succeed. nil: none are.
func (s *secrets) unreadNow(g backend.Groups) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[g]
}

// force returns the groups whose doubts make us ask now, and clears these doubts.
func (s *secrets) force(now time.Time) (forced backend.Groups) {
	for a, proven := range s.doubted {
		gap := claimedGap
		if proven {
			gap = provenGap
		}
		justLooked := a.group == backend.GroupPush && now.Sub(s.looked) < lookGap
		if now.Sub(s.forced[a]) >= gap && !justLooked {
			s.forced[a] = now
			forced |= a.group
			delete(s.doubted, a)
		}
	}
	maps.DeleteFunc(s.forced, func(_ aspect, at time.Time) bool { return now.Sub(at) >= claimedGap })
	return forced
}

// refresh asks for newer values when it is time to, and reports whether there are any. Who comes meanwhile waits.
func (s *secrets) refresh(ctx context.Context) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	doubted := s.force(now)
	if doubted == 0 && now.Before(s.until) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	changed, problems := s.fetchAll(ctx, doubted)
	for _, err := range problems {
		s.log.ErrorContext(ctx, "a secret could not be read again, the old value serves on", "error", err)
	}
	return changed
}

// fetchAll asks for every secret at once. What could not be read stays, and is asked for again in a minute.
func (s *secrets) fetchAll(ctx context.Context, doubted backend.Groups) (changed bool, problems []error) {
	type result struct {
		group backend.Groups
		held  heldSecret
		err   error
	}
	results := make(chan result)
	for group, id := range s.ids {
		old := s.held[group]
		go func() {
			held, err := s.fetch(ctx, group, id, old, doubted&group != 0)
			results <- result{group, held, err}
		}()
	}
	s.failed = map[backend.Groups]error{}
	for range s.ids {
		r := <-results
		for _, err := range joined(r.err) {
			problems = append(problems, secretProblem(r.group, err))
		}
		if r.err == nil {
			changed = changed || !r.held.is(s.held[r.group])
			s.held[r.group] = r.held
			s.warn(ctx, r.group, r.held)
		}
		if err := cmp.Or(r.err, r.held.unread); passes(err) {
			s.failed[r.group] = err
		}
	}
	s.looked = s.now()
	s.until = s.looked.Add(secretsTTL + rand.N(secretsTTL/4))
	if len(problems)+len(s.failed) > 0 {
		s.until = s.looked.Add(claimedGap)
	}
	return changed, problems
}

// warn says that the version before the current one is missing.
func (s *secrets) warn(ctx context.Context, group backend.Groups, held heldSecret) {
	if held.unread != nil {
		s.log.WarnContext(ctx, "the version of a secret before the current one could not be read: the current one serves, and what WeChat or a session still does with the old one may be refused",
			"error", secretProblem(group, held.unread))
	}
}

// passes reports whether what Secrets Manager answered, if it did, may be another answer in a moment. That a key is disabled or the
// role may not use it is none of that.
func passes(err error) bool {
	var read *readError
	if !errors.As(err, &read) {
		return false
	}
	var said smithy.APIError
	var answer *awshttp.ResponseError
	if !errors.As(err, &said) || !errors.As(err, &answer) || answer.HTTPStatusCode() >= 500 {
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[said.ErrorCode()]
	return throttled
}

// fetch reads one secret: the current version, and the one before where it may be needed.
func (s *secrets) fetch(ctx context.Context, group backend.Groups, id string, old heldSecret, doubted bool) (heldSecret, error) {
	held, err := s.versions(ctx, group, id, old, doubted)
	if err != nil {
		return old, err
	}
	if err := s.usable(group, held.current); err != nil {
		return old, err
	}
	if s.usable(group, held.previous) != nil { // a slip, corrected since: what served meanwhile is the one before
		held.previous = old.served(held.current)
	}
	if group == backend.GroupPush && !s.young(held.current, pushOverlap) {
		held.previous = secretValue{} // a token that leaked must not be believed for ever
	}
	return held, nil
}

// versions asks for the current version, and for the one before where it is not known and may be needed. When that cannot be read, what
// served before goes on to.
func (s *secrets) versions(ctx context.Context, group backend.Groups, id string, old heldSecret, doubted bool) (heldSecret, error) {
	previous := sync.OnceValues(func() (secretValue, error) { return s.previous(ctx, id) })
	if old.current.present() && !old.asked && s.needsPrevious(group, old, old.current, doubted) {
		go previous() // a request waits for both
	}
	current, err := s.version(ctx, id, stageCurrent)
	if err != nil {
		return old, err
	}
	rotated := old.current.present() && !current.is(old.current)
	if known := !rotated && old.asked; known || !rotated && !s.needsPrevious(group, old, current, doubted) {
		return heldSecret{current: current, previous: old.previous, asked: known}, nil
	}
	if rotated { // what was asked for at the same time may be the one before that
		previous = func() (secretValue, error) { return s.previous(ctx, id) }
	}
	before, err := previous()
	if err != nil {
		return heldSecret{current: current, previous: old.served(current), unread: err}, nil
	}
	return heldSecret{current: current, previous: before, asked: true}, nil
}

// needsPrevious reports whether the version before a current one may be needed. Soon after a rotation it is. Later it is needed
// for boxes and for a console that was left behind, and then something does not fit first; but whoever receives our
// webhooks cannot tell us so. What was needed once and could not be read is asked for at each look.
func (s *secrets) needsPrevious(group backend.Groups, old heldSecret, current secretValue, doubted bool) bool {
	switch group {
	case backend.GroupPush:
		return s.young(current, pushOverlap)
	case backend.GroupDelivery:
		return true
	}
	return doubted || old.unread != nil || s.young(current, keysOverlap)
}

// young reports whether a version was put in less than a time ago.
func (s *secrets) young(v secretValue, overlap time.Duration) bool {
	return s.now().Sub(v.made) < overlap
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
		return secretValue{}, &readError{err}
	}
	return secretValue{aws.ToString(out.VersionId), aws.ToString(out.SecretString), aws.ToTime(out.CreatedDate)}, nil
}

// readError: Secrets Manager did not give what is there.
type readError struct{ cause error }

func (e *readError) Error() string { return fmt.Sprintf("the secret cannot be read: %v", e.cause) }
func (e *readError) Unwrap() error { return e.cause }

// secretProblem names the variable that leads to the secret.
func secretProblem(group backend.Groups, err error) error {
	return fmt.Errorf("%s: %w", secretVariables[group], err)
}
