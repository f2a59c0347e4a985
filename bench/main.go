// Command bench compares this project with other people's code: the same work on the same bytes, turn by turn in one process,
// so that a busy machine slows both down alike. It prints a table and exits with 1 when a ratio is over its limit.
//
// It is a module of its own, so that nobody who uses the libraries downloads what they are compared with. Run it in this
// folder: `go run .`
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 3001, "turns of each pair")
	turn := flag.Duration("turn", 200*time.Microsecond, "length of one turn")
	flag.Parse()
	pairs, err := pairs()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	fmt.Printf("%s, %d cores, %d rounds of %s each; time per operation, median of the rounds\n\n", runtime.Version(), runtime.NumCPU(), *rounds, *turn)
	if over := run(pairs, *rounds, *turn); over > 0 {
		fmt.Printf("\n%d over the limit\n", over)
		os.Exit(1)
	}
}

// run measures and prints, and returns how many ratios are over their limit.
func run(pairs []pair, rounds int, turn time.Duration) (over int) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "ours\ttheirs\tratio\tat most\tallocs\ttheirs\tbytes\ttheirs\t  what, and against what")
	for _, p := range pairs {
		r := measure(p, rounds, turn)
		limit, verdict := "-", ""
		if p.limit > 0 {
			limit = fmt.Sprintf("%.2f", p.limit)
		}
		if p.limit > 0 && r.ratio > p.limit {
			verdict = " OVER"
			over++
		}
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\t%d\t%d\t%d\t%d\t  %s%s\n", r.ours.time, r.theirs.time, r.ratio, limit,
			r.ours.allocs, r.theirs.allocs, r.ours.bytes, r.theirs.bytes, p.name, verdict)
	}
	w.Flush()
	return over
}
