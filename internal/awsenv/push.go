package awsenv

import (
	"context"
	"errors"
	"net/url"

	"github.com/xpay-serverless/xpay-serverless/internal/backend"
	"github.com/xpay-serverless/xpay-serverless/internal/httpapi"
	"github.com/xpay-serverless/xpay-serverless/pkg/miniprogram"
)

// livePush verifies with the secrets it has, and when no signature fits, once more with those that were put in since:
// after a rotation the first push is not refused. Somebody who sends forged pushes makes it ask once in a minute.
type livePush struct {
	httpapi.Push
	env *Env
}

// Echo checks the GET that WeChat's console sends.
func (p *livePush) Echo(q url.Values) (string, error) {
	echo, err := p.Push.Echo(q)
	if newer := p.newer(err); newer != nil {
		return newer.Echo(q)
	}
	return echo, err
}

// Open verifies and opens a push.
func (p *livePush) Open(q url.Values, body []byte) (miniprogram.Message, error) {
	m, err := p.Push.Open(q, body)
	if newer := p.newer(err); newer != nil {
		return newer.Open(q, body)
	}
	return m, err
}

// newer returns what verifies now, if the error says that no secret fitted and there are others since.
func (p *livePush) newer(err error) httpapi.Push {
	if !errors.Is(err, miniprogram.ErrSignature) {
		return nil
	}
	p.env.secrets.doubt(backend.Doubt{Group: backend.GroupPush})
	if now, ok := p.env.now(context.Background()).API.Push.(*livePush); ok && now != p {
		return now.Push
	}
	return nil
}
