package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"consilium/cmd/consilium/localnet"
	"consilium/cmd/consilium/setup"
	"consilium/examples"
	"consilium/job"
)

func newInitCommand() *cobra.Command {
	var node, client, coordinator, registry bool
	var m setup.Member
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a member's keys and card, or a whole local study",
		Long: `With --node, --client or --coordinator, init makes that member's directory: its
private keys, which never leave it, its configuration, and card.yaml, the public
card to send to the study's founders.

Without one of these it makes a ready local study of five hospitals with example
data, a coordinator and a researcher; with --registry an organ registry of four
hospitals with waiting lists, donors and pairs, and three parties without data.`,
		Example: `  consilium init my-study
  consilium init --registry my-registry
  consilium init --node --name st-anna --organisation "St. Anna" --address node.st-anna.example:7400 node
  consilium init --client --name alice --organisation "University" alice`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			var err error
			switch {
			case !node && !client && !coordinator:
				if m != (setup.Member{}) {
					return errors.New("--name, --organisation, --address and the like describe one member: add --node, --client or --coordinator")
				}
				if registry {
					return initStudy(cmd.OutOrStdout(), dir, registryExample())
				}
				return initStudy(cmd.OutOrStdout(), dir, analysisExample())
			case node:
				m.Metrics = cmp.Or(m.Metrics, "127.0.0.1:7401")
				_, err = setup.NewNode(dir, m)
			case client:
				_, err = setup.NewClient(dir, m)
			default:
				m.Metrics = cmp.Or(m.Metrics, "127.0.0.1:7402")
				_, err = setup.NewCoordinator(dir, m)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), `Made %s. Send %s to the study's founders; when the roster
comes back, compare its hash with theirs by a second way and run

  consilium study approve study.roster --hash HASH --member %s
`, dir, filepath.Join(dir, setup.CardFile), dir)
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&node, "node", false, "make a node")
	f.BoolVar(&client, "client", false, "make a client: a researcher or a registry")
	f.BoolVar(&coordinator, "coordinator", false, "make a coordinator")
	f.BoolVar(&registry, "registry", false, "make the example of an organ registry")
	f.StringVar(&m.Name, "name", "", "the member's name in the study: small letters, digits, '-'")
	f.StringVar(&m.Organisation, "organisation", "", "who runs it")
	f.StringVar(&m.Address, "address", "", "host:port where the others reach it")
	f.StringVar(&m.Listen, "listen", "", "host:port to listen on, when it is not --address")
	f.StringVar(&m.Metrics, "metrics", "", "loopback IP:port of health and metrics (127.0.0.1:7401 for a node, :7402 for a coordinator)")
	cmd.MarkFlagsMutuallyExclusive("node", "client", "coordinator", "registry")
	return cmd
}

// example is a ready study: its files, and what to ask of it once it runs, in its folder.
type example struct {
	files fs.FS
	try   []string
}

func analysisExample() example {
	return example{examples.FS, []string{"datasets", "run " + filepath.Join("examples", "jobs", "01-lung-describe.yaml")}}
}

func registryExample() example {
	return example{examples.Registry(), []string{"datasets", "match rank --donor D02", "match exchange --list pairs"}}
}

func initStudy(out io.Writer, dir string, e example) error {
	l, err := createExample(dir, e, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Made a study of %d nodes in %s. Start its members, each in a terminal of its own or with &:\n\n", len(l.Nodes), dir)
	fmt.Fprintf(out, "  consilium coordinator --config %s\n", filepath.Join(dir, l.Central.Name, setup.CoordinatorConfig))
	for _, n := range l.Nodes {
		fmt.Fprintf(out, "  consilium node --config %s\n", filepath.Join(dir, n.Name, setup.NodeConfig))
	}
	fmt.Fprintf(out, "\nand ask a question in that folder:\n\n")
	for _, command := range e.try {
		fmt.Fprintf(out, "  (cd %s && consilium %s)\n", dir, command)
	}
	return nil
}

// Limits of a study on one machine.
const (
	localTimeout  = 20 * time.Second
	localDeadline = 2 * time.Minute
)

// createExample unpacks an example under dir and makes the study that it describes.
func createExample(dir string, e example, proxy func(member, listen string) (string, error)) (*localnet.Layout, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty: choose a new directory", dir)
	}
	data := filepath.Join(dir, "examples")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.CopyFS(data, e.files); err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(e.files, "study.yaml")
	if err != nil {
		return nil, err
	}
	study, err := setup.ParseStudyFile(text)
	if err != nil {
		return nil, err
	}
	if err := study.Bundle(data); err != nil {
		return nil, err
	}
	return localnet.Create(dir, localnet.Spec{
		Study: study, Names: nodesOf(study), Files: siteFiles(study.Datasets, filepath.Join(data, "data")),
		Timeout: localTimeout, Deadline: localDeadline, Proxy: proxy,
	})
}

// nodesOf are the study's parties and the sites of its datasets.
func nodesOf(study *setup.StudyFile) []string {
	names := slices.Clone(study.Parties)
	for _, d := range study.Datasets {
		for _, site := range d.Sites {
			names = append(names, site.Node)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// siteFiles names data/DATASET/NODE.csv for every site of every dataset.
func siteFiles(datasets []job.Dataset, data string) map[string]map[string]string {
	files := make(map[string]map[string]string, len(datasets))
	for _, d := range datasets {
		files[d.Name] = make(map[string]string, len(d.Sites))
		for _, s := range d.Sites {
			files[d.Name][s.Node] = filepath.Join(data, d.Name, s.Node+".csv")
		}
	}
	return files
}
