// Package rules holds no code: its tests keep the rules of the house that no compiler checks, above all which package
// may import which.
package rules
