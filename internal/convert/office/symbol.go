package office

import "strings"

// symbolFonts are fonts whose characters are pictures: what they show, by their code below 0x100. They are the bullets, arrows, ticks and the Greek letters that
// people put into text; everything else in such a font shows nothing that can be read.
var symbolFonts = map[string]map[rune]rune{
	"symbol": {
		0x22: '∀', 0x24: '∃', 0x40: '≅', 0x5e: '⊥', 0xa0: '€', 0xa3: '≤', 0xa5: '∞', 0xab: '↔', 0xac: '←', 0xad: '↑', 0xae: '→',
		0xaf: '↓', 0xb0: '°', 0xb1: '±', 0xb3: '≥', 0xb4: '×', 0xb6: '∂', 0xb7: '•', 0xb8: '÷', 0xb9: '≠', 0xba: '≡', 0xbb: '≈',
		0xbc: '…', 0xc7: '∩', 0xc8: '∪', 0xce: '∈', 0xd1: '∇', 0xd2: '®', 0xd3: '©', 0xd4: '™', 0xd5: '∏', 0xd6: '√', 0xd7: '⋅',
		0xd8: '¬', 0xd9: '∧', 0xda: '∨', 0xdb: '⇔', 0xde: '⇒', 0xe5: '∑', 0xf2: '∫',
	},
	"wingdings": {
		0x28: '☎', 0x2a: '✉', 0x4a: '☺', 0x6c: '●', 0x6e: '■', 0x6f: '□', 0x71: '❑', 0x76: '❖', 0x9f: '•', 0xa7: '▪', 0xa8: '◻',
		0xd8: '➢', 0xdf: '←', 0xe0: '→', 0xe1: '↑', 0xe2: '↓', 0xe8: '➔', 0xf0: '⇨', 0xfb: '✗', 0xfc: '✓', 0xfd: '☒', 0xfe: '☑',
	},
	"webdings": {
		0x61: '✓', 0x72: '✗',
	},
}

// greek are the letters of the font Symbol under their Latin keys.
var greek = strings.NewReplacer("A", "Α", "B", "Β", "C", "Χ", "D", "Δ", "E", "Ε", "F", "Φ", "G", "Γ", "H", "Η", "I", "Ι", "K", "Κ", "L", "Λ", "M", "Μ",
	"N", "Ν", "O", "Ο", "P", "Π", "Q", "Θ", "R", "Ρ", "S", "Σ", "T", "Τ", "U", "Υ", "W", "Ω", "X", "Ξ", "Y", "Ψ", "Z", "Ζ",
	"a", "α", "b", "β", "c", "χ", "d", "δ", "e", "ε", "f", "φ", "g", "γ", "h", "η", "i", "ι", "k", "κ", "l", "λ", "m", "μ",
	"n", "ν", "o", "ο", "p", "π", "q", "θ", "r", "ρ", "s", "σ", "t", "τ", "u", "υ", "w", "ω", "x", "ξ", "y", "ψ", "z", "ζ")

// symbolFont tells whether the characters of a font are pictures.
func symbolFont(font string) bool {
	font = strings.ToLower(font)
	return font == "symbol" || strings.HasPrefix(font, "wingdings") || font == "webdings"
}

// symbol is what a character of a font shows. In fonts of pictures, codes may be moved into the private area at 0xf000.
func symbol(font string, r rune) string {
	font = strings.ToLower(font)
	if !symbolFont(font) {
		if r >= 0xf000 && r <= 0xf0ff {
			r -= 0xf000
		}
		return string(r)
	}
	if r >= 0xf000 && r <= 0xf0ff {
		r -= 0xf000
	}
	if shown, ok := symbolFonts[font][r]; ok {
		return string(shown)
	}
	if font == "symbol" && r >= 0x20 && r < 0x7f {
		return greek.Replace(string(r))
	}
	if r > 0xff {
		return string(r)
	}
	return " "
}
