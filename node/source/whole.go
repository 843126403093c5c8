package source

import (
	"fmt"
	"math/big"
	"strings"
)

// wholeNumber scans a whole number of any size, however a driver hands it over; null
// is zero.
type wholeNumber struct{ big.Int }

// Scan implements sql.Scanner.
func (n *wholeNumber) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		n.SetInt64(0)
		return nil
	case int64:
		n.SetInt64(v)
		return nil
	case uint64:
		n.SetUint64(v)
		return nil
	case *big.Int:
		n.Set(v)
		return nil
	case []byte:
		return n.parse(string(v))
	case string:
		return n.parse(v)
	case fmt.Stringer:
		return n.parse(v.String())
	}
	return fmt.Errorf("%T in place of a whole number", value)
}

func (n *wholeNumber) parse(s string) error {
	whole, fraction, _ := strings.Cut(s, ".")
	if _, ok := n.SetString(whole, 10); !ok || strings.Trim(fraction, "0") != "" || len(s) > 80 {
		return fmt.Errorf("a text in place of a whole number")
	}
	return nil
}
