// Package plot draws a finished job as a clinical journal prints it: survival
// curves, forest plots, histograms and ROC curves, as SVG, PNG or PDF.
//
// It draws what the recipient opened and nothing else: where a result has no
// figure at some time, the picture claims none. Which columns, levels and edges
// a result is about comes from the signed job and the dataset's declaration.
//
// A picture of each kind is a file with one function that turns a Figure into a
// picture, and a line in pictures.
package plot
