package operator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// ErrNoValue: the secret is there, and nothing was put in yet.
var ErrNoValue = errors.New("the secret has no value yet: xpay secrets put")

// ErrChanged: somebody else put a value after the secret was read; nothing was put over it.
var ErrChanged = errors.New("somebody else put another value meanwhile; nothing was put over it")

// ErrOvertaken: the value was put, and so was another at the same moment: AWSPREVIOUS is not the value that was to be kept.
var ErrOvertaken = errors.New("somebody else put another value at the same moment, and the value before both is lost")

// ErrHalfReplaced: the value was put once of the two times, so it is current and what it replaced may still be taken.
var ErrHalfReplaced = errors.New("the new value is current, and what it replaced may still be taken: repeat the command")

// SecretVersion is one version of a secret; without an ID there is none. It prints as [redacted].
type SecretVersion struct {
	ID, Value string
	Made      time.Time
}

// Format is fmt's.
func (SecretVersion) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// Secret reads the current value of the secret to which an output leads.
func (s *Stack) Secret(ctx context.Context, output string) (string, error) {
	id, err := s.Output(output)
	if err != nil {
		return "", err
	}
	current, err := s.version(ctx, output, id, stageCurrent)
	if err == nil && current.ID == "" {
		err = fmt.Errorf("%s: %w", output, ErrNoValue)
	}
	return current.Value, err
}

// SecretVersions reads the current version and the one before it. None is no error.
func (s *Stack) SecretVersions(ctx context.Context, output string) (current, before SecretVersion, err error) {
	id, err := s.Output(output)
	if err != nil {
		return SecretVersion{}, SecretVersion{}, err
	}
	if current, err = s.version(ctx, output, id, stageCurrent); err == nil {
		before, err = s.version(ctx, output, id, stagePrevious)
	}
	return current, before, err
}

func (s *Stack) version(ctx context.Context, output, id, stage string) (SecretVersion, error) {
	got, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: &stage})
	var absent *types.ResourceNotFoundException
	switch {
	case errors.As(err, &absent):
		return SecretVersion{}, nil
	case err != nil:
		return SecretVersion{}, answered(fmt.Errorf("the secret %s cannot be read: %w", output, err))
	}
	return SecretVersion{aws.ToString(got.VersionId), aws.ToString(got.SecretString), aws.ToTime(got.CreatedDate)}, nil
}

// PutSecret makes value the current one and keeps the version behind, which the caller has read, as AWSPREVIOUS. It reports
// false when value is current already: then both stay as they are, so that it may be repeated after an unknown outcome. The
// caller has checked value.
func (s *Stack) PutSecret(ctx context.Context, output string, behind SecretVersion, value string) (put bool, err error) {
	id, err := s.Output(output)
	if err != nil {
		return false, err
	}
	current, err := s.version(ctx, output, id, stageCurrent)
	switch {
	case err != nil:
		return false, err
	case current.ID != "" && current.Value == value:
		return false, nil
	case current.ID != behind.ID:
		return false, ErrChanged
	}
	_, err = s.put(ctx, output, id, behind, value)
	return err == nil, err
}

// ReplaceSecret makes value the current one and AWSPREVIOUS, too: nothing that was known before is left. When it is cut short in
// between, the error is ErrHalfReplaced. The caller has checked value.
func (s *Stack) ReplaceSecret(ctx context.Context, output string, behind SecretVersion, value string) error {
	id, err := s.Output(output)
	if err != nil {
		return err
	}
	first, err := s.write(ctx, output, id, behind, value)
	if err != nil {
		return err
	}
	if err = s.standsBehind(ctx, output, id, behind); err == nil {
		_, err = s.put(ctx, output, id, first, value)
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrHalfReplaced, err)
	}
	return nil
}

// put puts value behind the version that was read, and looks whether it stands there.
func (s *Stack) put(ctx context.Context, output, id string, behind SecretVersion, value string) (SecretVersion, error) {
	next, err := s.write(ctx, output, id, behind, value)
	if err == nil {
		err = s.standsBehind(ctx, output, id, behind)
	}
	return next, err
}

// write makes value the current one. The name of the new version is made of the value and the version behind it, so that Secrets
// Manager takes a repetition for what it is.
func (s *Stack) write(ctx context.Context, output, id string, behind SecretVersion, value string) (SecretVersion, error) {
	sum := sha256.Sum256([]byte(behind.ID + "\n" + value))
	next := SecretVersion{ID: hex.EncodeToString(sum[:]), Value: value}
	_, err := s.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value, ClientRequestToken: &next.ID})
	if err != nil {
		return next, answered(fmt.Errorf("the secret %s cannot be written: %w", output, err))
	}
	return next, nil
}

// A reader may see what was put a moment later.
const (
	looksMax = 3
	lookGap  = 500 * time.Millisecond
)

// standsBehind looks whether a version is AWSPREVIOUS. Secrets Manager has no conditional write: of two who put at the same
// moment each takes the other's value for the one before.
func (s *Stack) standsBehind(ctx context.Context, output, id string, behind SecretVersion) error {
	for look := 1; ; look++ {
		before, err := s.version(ctx, output, id, stagePrevious)
		if err != nil || before.ID == behind.ID {
			return err
		}
		if look == looksMax {
			return ErrOvertaken
		}
		select {
		case <-ctx.Done():
			return answered(ctx.Err())
		case <-time.After(lookGap):
		}
	}
}
