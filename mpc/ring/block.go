package ring

// Transpose64 transposes a matrix of 64 x 64 bits in place: bit j of word i changes
// places with bit i of word j.
func Transpose64(b *[wordBits]uint64) { transpose(b, wordBits) }
