package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"consilium/node/vault"
)

func newVaultKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "vault-key FILE",
		Short: "Make the key file of a node's vault",
		Long: `vault-key makes the key that opens what a node keeps on its disk of deposits: under
engine shares a party's shares of the rows, under engine mhe a site's pieces of the keys
that sites hold together. Nodes made by consilium init have one. The file is readable by its owner alone, and is never replaced.`,
		Example: "  consilium node vault-key /etc/consilium/node/vault.key",
		Args:    one("the key file to make"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := vault.MakeKey(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "Made %s. Add it to the node's configuration as vault_key, and start the node anew.\n", args[0])
			return err
		},
	}
}
