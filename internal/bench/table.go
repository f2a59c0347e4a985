package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// table prints a title and rows, the first of which says what the columns are. Cells are ASCII.
func table(w io.Writer, title string, rows ...[]string) {
	progress("")
	fmt.Fprintf(w, "\n%s\n", title)
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimRight(line(row, widths), " "))
	}
}

// line sets the first cell to the left, the others to the right.
func line(row []string, widths map[int]int) string {
	var b strings.Builder
	for i, cell := range row {
		if i == 0 {
			fmt.Fprintf(&b, "  %-*s", widths[i], cell)
			continue
		}
		fmt.Fprintf(&b, "  %*s", widths[i], cell)
	}
	return b.String()
}

// progress says on a terminal what is being measured, on one line; "" wipes it.
func progress(format string, args ...any) {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	fmt.Fprintf(os.Stderr, "\r\033[K"+format, args...)
}
