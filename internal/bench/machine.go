package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// machine is where the figures come from: without it they mean nothing.
type machine struct {
	Cores  int       `json:"cores"`
	Go     string    `json:"go"`
	OS     string    `json:"os"`
	Arch   string    `json:"arch"`
	CPU    string    `json:"cpu,omitempty"`
	Load   string    `json:"load,omitempty"` // of the last 1, 5 and 15 minutes: what others do here
	Folder string    `json:"folder"`
	At     time.Time `json:"at"`
}

func thisMachine(dir string) machine {
	return machine{
		Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		CPU: fieldOf("/proc/cpuinfo", "model name"), Load: loadBefore(), Folder: dir, At: time.Now().UTC().Truncate(time.Second),
	}
}

func (m machine) print(w io.Writer) {
	fmt.Fprintf(w, "machine   %d cores, %s/%s, %s\n", m.Cores, m.OS, m.Arch, m.Go)
	if m.CPU != "" {
		fmt.Fprintf(w, "cpu       %s\n", m.CPU)
	}
	if m.Load != "" {
		fmt.Fprintf(w, "load      %s before (1, 5, 15 minutes): what others do here lowers the figures\n", m.Load)
	}
	fmt.Fprintf(w, "disk      %s\n", m.Folder)
	fmt.Fprintf(w, "time      %s; figures are medians of interleaved rounds\n", m.At.Format(time.RFC3339))
}

func loadBefore() string {
	raw, _ := os.ReadFile("/proc/loadavg") // systems without it do not say
	fields := strings.Fields(string(raw))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

// memory is what a process holds.
type memory struct {
	Bytes int64  `json:"bytes"`
	How   string `json:"how"`
}

// ownMemory is the resident memory where the system tells, and else what the Go runtime holds.
func ownMemory() memory {
	m := memory{Bytes: kibOf("/proc/self/status", "VmRSS"), How: "VmRSS"}
	if m.Bytes > 0 {
		return m
	}
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(held)
	return memory{Bytes: int64(held[0].Value.Uint64() - held[1].Value.Uint64()), How: "of the Go runtime: this system has no /proc"}
}

func kibOf(path, name string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(fieldOf(path, name), " kB"), 10, 64) // 0: not told
	return n << 10
}

// fieldOf finds "name: value" in a file of /proc; "" when there is none.
func fieldOf(path, name string) string {
	raw, _ := os.ReadFile(path) // systems without it have no such field
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
