package wechatsim

import (
	"fmt"
	"maps"
)

// What the owner of the mini-program may change in WeChat's consoles while everything runs. Each change holds for
// whatever WeChat checks or sends from then on, at once and without an overlap. Nothing is journalled: it is Config.

// ChangeAppKey plays 重置 AppKey of one env (虚拟支付 → 基本配置): the key before is refused with 268490003 and -15006. It
// fails with ErrInput for an env that has no key, or an empty key.
func (s *Sim) ChangeAppKey(env int, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.AppKeys[env] == "" || key == "" {
		return fmt.Errorf("env %d has no AppKey to change, or the new one is empty: %w", env, ErrInput)
	}
	keys := maps.Clone(s.cfg.AppKeys) // Config.AppKeys belongs to the caller of New
	keys[env] = key
	s.cfg.AppKeys = keys
	delete(s.cashier, env)
	return nil
}

// ChangeCashierAppKey gives the phones alone another AppKey than the API has, as when a change has not reached all of WeChat. The
// next ChangeAppKey holds for both again. It fails as ChangeAppKey does.
func (s *Sim) ChangeCashierAppKey(env int, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.AppKeys[env] == "" || key == "" {
		return fmt.Errorf("env %d has no AppKey to change, or the new one is empty: %w", env, ErrInput)
	}
	s.cashier[env] = key
	return nil
}

// ChangeAppSecret plays 重置 AppSecret (开发管理): the one before is refused with 40125. Access tokens live on. It fails
// with ErrInput for an empty secret.
func (s *Sim) ChangeAppSecret(secret string) error {
	if secret == "" {
		return fmt.Errorf("the AppSecret is empty: %w", ErrInput)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.AppSecret = secret
	return nil
}

// ChangePush plays the page 消息推送: URL, token, AES key, format and mode of all that is pushed from now on, the repeats
// of what was pushed before included. It fails with ErrInput for what New would refuse, and changes nothing then.
func (s *Sim) ChangePush(p Push) error {
	p.Format, p.Mode = orElse(p.Format, "xml"), orElse(p.Mode, "plain")
	if err := p.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	key, err := p.aesKey()
	if err != nil {
		return fmt.Errorf("%w: EncodingAESKey: %w", ErrInput, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Push, s.aesKey = p, key
	return nil
}
