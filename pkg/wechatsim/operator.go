package wechatsim

import "context"

// The control endpoints of withdrawals, advert funds, complaints, subscriptions and punishments.

func (s *Sim) controlWithdrawal(_ context.Context, in struct{ WithdrawNo, FailReason string }) (any, error) {
	return okOut{true}, s.EndWithdrawal(in.WithdrawNo, in.FailReason)
}

func (s *Sim) controlWithdrawals(context.Context, nothing) (any, error) {
	return map[string]any{"withdrawals": s.Withdrawals()}, s.kept()
}

func (s *Sim) controlAdvertAccount(_ context.Context, in AdvertAccount) (any, error) {
	return okOut{true}, s.SetAdvertAccount(in)
}

func (s *Sim) controlAdvertFund(_ context.Context, in AdvertFund) (any, error) {
	id, err := s.GrantAdvertFund(in)
	return map[string]string{"fundId": id}, err
}

func (s *Sim) controlAdvertRecover(_ context.Context, in struct {
	FundID   string
	Amount   int64
	OrderIDs []string
}) (any, error) {
	id, err := s.RecoverAdvertFund(in.FundID, in.Amount, in.OrderIDs)
	return map[string]string{"billId": id}, err
}

func (s *Sim) controlComplaintUser(_ context.Context, in struct {
	ComplaintID, Action, Detail string
	Images                      []string
}) (any, error) {
	return okOut{true}, s.UserActs(in.ComplaintID, in.Action, in.Detail, in.Images)
}

func (s *Sim) controlSign(_ context.Context, in struct{ OpenID, ProductID, OutContractCode string }) (any, error) {
	return okOut{true}, s.Sign(in.OpenID, in.ProductID, in.OutContractCode)
}

func (s *Sim) controlUnsign(_ context.Context, in struct{ OutContractCode string }) (any, error) {
	return okOut{true}, s.Unsign(in.OutContractCode)
}

func (s *Sim) controlAppleSign(_ context.Context, in struct{ OpenID, SignData, PaySig, Signature string }) (any, error) {
	r := PaymentRequest{OpenID: in.OpenID, SignData: in.SignData, PaySig: in.PaySig, Signature: in.Signature}
	return s.RequestAppleSubscribeSign(r), nil
}

type appleIn struct{ OpenID, ProductID string }

func (s *Sim) controlAppleRenew(_ context.Context, in appleIn) (any, error) {
	return okOut{true}, s.RenewApple(in.OpenID, in.ProductID)
}

func (s *Sim) controlAppleUnsign(_ context.Context, in appleIn) (any, error) {
	return okOut{true}, s.UnsignApple(in.OpenID, in.ProductID)
}

func (s *Sim) controlContracts(context.Context, nothing) (any, error) {
	return map[string]any{"contracts": s.Contracts()}, s.kept()
}

func (s *Sim) controlPunishment(_ context.Context, in PunishmentCase) (any, error) {
	return okOut{true}, s.SetPunishment(in)
}
