package wechatsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// PunishmentCase is one case of WeChat Pay's risk control as its operators fill it in (spec 4.16 and 7.6).
type PunishmentCase struct {
	CaseID                 string   `json:"caseId"`    // limitation_case_id, and BusinessCode of the push
	EventType              string   `json:"eventType"` // punishment, also when empty, or due_diligence
	State                  string   `json:"state"`     // BusinessState; no values are published, PROCESSING when empty
	Remark                 string   `json:"remark"`
	LimitedFunctions       []string `json:"limitedFunctions"`
	OtherLimitedFunctions  string   `json:"otherLimitedFunctions"`
	ReasonType             string   `json:"reasonType"`
	Reason                 string   `json:"reason"`
	ReasonDescribe         string   `json:"reasonDescribe"`
	RelateLimitations      []string `json:"relateLimitations"`
	OtherRelateLimitations string   `json:"otherRelateLimitations"`
	RecoverWay             string   `json:"recoverWay"`
	RecoverWayParam        string   `json:"recoverWayParam"`
	RecoverHelpURL         string   `json:"recoverHelpUrl"`
	ActionType             string   `json:"actionType"`
	StartDate              string   `json:"startDate"` // limitation_start_date as it is to be answered
	Date                   string   `json:"date"`      // limitation_date
	Lifted                 bool     `json:"lifted"`    // over: pushed, no longer answered
}

// punishment is a case and the pushes about it.
type punishment struct {
	PunishmentCase
	topic
}

type punishmentAnswer struct {
	ErrCode      int               `json:"errcode"`
	ErrMsg       string            `json:"errmsg"`
	AppID        string            `json:"appid"`
	NickName     string            `json:"nickname"`
	MerchantCode string            `json:"merchant_code"`
	Limited      []string          `json:"limited_functions"`
	OtherLimited string            `json:"other_limited_functions"`
	Recoveries   []recoverySection `json:"recovery_specifications"`
}

type recoverySection struct {
	CaseID         string `json:"limitation_case_id"`
	ReasonType     string `json:"limitation_reason_type"`
	Reason         string `json:"limitation_reason"`
	ReasonDescribe string `json:"limitation_reason_describe"`
	Related        any    `json:"relate_limitations"` // a string, or an array by the fault
	OtherRelated   string `json:"other_relate_limitations"`
	RecoverWay     string `json:"recover_way"`
	RecoverParam   string `json:"recover_way_param"`
	RecoverHelpURL string `json:"recover_help_url"`
	ActionType     string `json:"limitation_action_type"`
	StartDate      string `json:"limitation_start_date"`
	Date           string `json:"limitation_date"`
}

// SetPunishment opens, changes or lifts a case and queues xpay_wxpay_callback_notify. It fails with ErrInput when
// CaseID is missing or EventType unknown.
func (s *Sim) SetPunishment(c PunishmentCase) error {
	c.EventType, c.State = orElse(c.EventType, "punishment"), orElse(c.State, "PROCESSING")
	c.LimitedFunctions, c.RelateLimitations = slices.Clone(c.LimitedFunctions), slices.Clone(c.RelateLimitations)
	if c.CaseID == "" || c.EventType != "punishment" && c.EventType != "due_diligence" {
		return fmt.Errorf("caseId is missing, or eventType is neither punishment nor due_diligence: %w", ErrInput)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.cases.get(c.CaseID)
	if p == nil {
		p = &punishment{}
		s.cases.put(c.CaseID, p)
	}
	p.PunishmentCase = c
	p.happen(eventRisk, officialFrom, s.riskEvent(c))
	s.record(kindCase, p)
	s.tellTopic(aboutCase+c.CaseID, &p.topic)
	return s.journalErr
}

// riskEvent: spec 7.6, without RetryTimes.
func (s *Sim) riskEvent(c PunishmentCase) []field {
	now, _ := s.clock()
	return []field{
		{"AppId", s.cfg.AppID}, {"NickName", merchantNick}, {"MerchantCode", merchantCode},
		{"MerchantCompanyName", merchantCompany}, {"BusinessTime", inChina(now).Format(time.RFC3339)},
		{"BusinessCode", c.CaseID}, {"BusinessState", c.State}, {"Remark", c.Remark}, {"EventType", c.EventType},
	}
}

// queryPunishmentReasons answers POST /xpay/query_punishment_reasons, spec 4.16: the open cases.
func (s *Sim) queryPunishmentReasons(fields) (any, *refusal) {
	a := punishmentAnswer{
		ErrMsg: "OK", AppID: s.cfg.AppID, NickName: merchantNick, MerchantCode: merchantCode,
		Limited: []string{}, Recoveries: []recoverySection{},
	}
	var others []string
	for _, c := range s.cases.list {
		if c.Lifted {
			continue
		}
		a.Limited = append(a.Limited, c.LimitedFunctions...)
		if c.OtherLimitedFunctions != "" {
			others = append(others, c.OtherLimitedFunctions)
		}
		a.Recoveries = append(a.Recoveries, s.recovery(c.PunishmentCase))
	}
	a.OtherLimited = strings.Join(others, ",")
	return a, nil
}

func (s *Sim) recovery(c PunishmentCase) recoverySection {
	r := recoverySection{
		CaseID: c.CaseID, ReasonType: c.ReasonType, Reason: c.Reason, ReasonDescribe: c.ReasonDescribe,
		Related: strings.Join(c.RelateLimitations, ","), OtherRelated: c.OtherRelateLimitations,
		RecoverWay: c.RecoverWay, RecoverParam: c.RecoverWayParam, RecoverHelpURL: c.RecoverHelpURL,
		ActionType: c.ActionType, StartDate: c.StartDate, Date: c.Date,
	}
	if s.faults.Service.RelateLimitationsArray {
		r.Related = append([]string{}, c.RelateLimitations...)
	}
	return r
}
