package main

import "testing"

func TestExplainNamesTheMistakeInBothLanguages(t *testing.T) {
	t.Parallel()
	base := []string{"explain", "--uri", v1URI, "--app-key", "12345", "--session-key", v1Session, "--got"}
	for name, c := range map[string]struct {
		got  string
		code int
		says []string
	}{
		"V1-a":      {"8e3b0b28b12177813cd7d2e063c7f8b65e520553fd7f6adcf39423b6859300c5", 0, []string{"without its leading slash", "缺少开头的斜杠", "[no-slash]", "xpay/query_user_balance"}},
		"V1-c":      {"bf7d8464010d1f3766c937d75ba269e79365001595eb35291d8e45b60c50c2c1", 0, []string{"[re-serialized]", "signed text"}},
		"V1-d":      {"d54d8b90dc3287658edc2b9f6392c168d7fb649d5783be31d111c00260ad851b", 0, []string{"signature: ", "[decoded-key]"}},
		"right":     {v1PaySig, 0, []string{"This is the right pay_sig"}},
		"user's":    {v1Signature, 0, []string{"This is the right signature", "stale"}},
		"capitals":  {"C37809F27C6D7FD1837AD2500A04512B66B34FD793A39A385FADE56DCA89A4B5", 0, []string{"[upper-case]"}},
		"undefined": {"undefined", 0, []string{"[undefined]"}},
		"nobody's":  {"aa7809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5", 1, []string{"No known mistake", "session_key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool{stdin: v1Body}.run(t, append(base, c.got)...).want(t, c.code, c.says...)
		})
	}
}

func TestExplainPrintsJSONOnDemand(t *testing.T) {
	t.Parallel()
	var a struct {
		Known  bool
		Right  string
		Causes []struct {
			Of       string
			Mistakes []struct{ ID, What, WhatZH, Fix, FixZH string }
		}
	}
	run := func(got string, code int) {
		t.Helper()
		a.Known, a.Right, a.Causes = false, "", nil
		tool{stdin: v1Body}.run(t, "--json", "explain", "--uri", v1URI, "--app-key", "12345", "--got", got).want(t, code).decode(t, &a)
	}
	run("8b6281d9b9809a0e0b1f767579e9fd447e4200711d99dee3aeeb7a6a982fdeb1", 0)
	if !a.Known || len(a.Causes) == 0 || a.Causes[0].Of != "pay_sig" || a.Causes[0].Mistakes[0].ID != "newline" || a.Causes[0].Mistakes[0].WhatZH == "" {
		t.Errorf("V1-e is %+v", a)
	}
	run(v1PaySig, 0)
	if !a.Known || a.Right != "pay_sig" || a.Causes != nil {
		t.Errorf("the right one is %+v", a)
	}
	run("00", 1)
	if a.Known {
		t.Errorf("00 is %+v", a)
	}
}
