package ring

// SetCrossMatMul sets v to elements lo, lo+1, … of a c + a d + b c, of matrices row
// by row: a and b have rows of k elements, c and d are k rows of n.
func (v Vec64) SetCrossMatMul(a, b, c, d Vec64, k, n, lo int) {
	rectangles(lo, len(v), n, func(r rectangle) {
		panel := make([]uint64, 2*panelColumns*k)
		for j := r.left; j < r.right; j += panelColumns {
			w := min(panelColumns, r.right-j)
			packPanel(panel, c, d, k, n, j, w)
			for i := r.top; i < r.bottom; i++ {
				sums := dotPanel(panel, a[i*k:(i+1)*k], b[i*k:(i+1)*k])
				copy(v[i*n+j-lo:], sums[:w])
			}
		}
	})
}

// panelColumns is how many columns of the product are made at a time: their sums
// stay in registers, and the columns of the factors in the first cache.
const panelColumns = 4

// packPanel puts w columns of c + d and of c, from column j on, side by side, row
// by row.
func packPanel(panel []uint64, c, d Vec64, k, n, j, w int) {
	for l := range k {
		row := panel[2*panelColumns*l:][:2*panelColumns]
		clear(row)
		for m := range w {
			e := c[l*n+j+m]
			row[m], row[panelColumns+m] = e+d[l*n+j+m], e
		}
	}
}

// dotPanel returns the products of a with the left and b with the right columns
// of a panel, added up.
func dotPanel(panel, a, b []uint64) [panelColumns]uint64 {
	var s0, s1, s2, s3 uint64
	b = b[:len(a)]
	for l := 0; l < len(a) && len(panel) >= 2*panelColumns; l++ {
		p, q := a[l], b[l]
		s0 += p*panel[0] + q*panel[4]
		s1 += p*panel[1] + q*panel[5]
		s2 += p*panel[2] + q*panel[6]
		s3 += p*panel[3] + q*panel[7]
		panel = panel[2*panelColumns:]
	}
	return [panelColumns]uint64{s0, s1, s2, s3}
}

// SetCrossMatMul sets v to elements lo, lo+1, … of a c + a d + b c, of matrices row
// by row: a and b have rows of k elements, c and d are k rows of n.
func (v Vec128) SetCrossMatMul(a, b, c, d Vec128, k, n, lo int) {
	rectangles(lo, len(v), n, func(r rectangle) {
		panel := make(Vec128, 2*k)
		for j := r.left; j < r.right; j++ {
			for l := range k {
				e := c[l*n+j]
				panel[2*l], panel[2*l+1] = e.Add(d[l*n+j]), e
			}
			for i := r.top; i < r.bottom; i++ {
				v[i*n+j-lo] = dotPanel128(panel, a[i*k:(i+1)*k], b[i*k:(i+1)*k])
			}
		}
	})
}

// dotPanel128 is dotPanel for one column.
func dotPanel128(panel, a, b Vec128) U128 {
	var sum U128
	b = b[:len(a)]
	for l := 0; l < len(a) && len(panel) >= 2; l++ {
		sum = sum.Add(a[l].Mul(panel[0])).Add(b[l].Mul(panel[1]))
		panel = panel[2:]
	}
	return sum
}

// rectangle is a part of a matrix: rows top to bottom-1, columns left to right-1.
type rectangle struct{ top, bottom, left, right int }

// rectangles calls f for at most three rectangles that together are count elements
// from element lo on of a matrix with rows of n elements.
func rectangles(lo, count, n int, f func(rectangle)) {
	hi := lo + count
	top, bottom := (lo+n-1)/n, hi/n // the whole rows
	if top > bottom {               // a part of one row
		f(rectangle{bottom, bottom + 1, lo - bottom*n, hi - bottom*n})
		return
	}
	if lo < top*n {
		f(rectangle{top - 1, top, lo - (top-1)*n, n})
	}
	if top < bottom {
		f(rectangle{top, bottom, 0, n})
	}
	if bottom*n < hi {
		f(rectangle{bottom, bottom + 1, 0, hi - bottom*n})
	}
}
