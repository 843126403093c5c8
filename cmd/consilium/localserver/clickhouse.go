package localserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// ClickHouse starts as many ClickHouse servers, which know each other as the shards of
// a cluster by the name of Cluster. Addresses are those of their HTTP interfaces.
func ClickHouse(ctx context.Context, servers int) (_ []*Server, err error) {
	daemon, err := program("clickhouse-server", "clickhouse-server")
	if err != nil {
		return nil, err
	}
	client, err := program("clickhouse-client", "clickhouse-client")
	if err != nil {
		return nil, err
	}
	var list []*Server
	defer func() {
		if err != nil {
			for _, s := range list {
				err = errors.Join(err, s.Stop())
			}
		}
	}()
	var shards strings.Builder
	ports := make([]string, servers) // of the binary protocol
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
		fmt.Fprintf(&shards, "<shard><replica><host>127.0.0.1</host><port>%s</port><user>%s</user><password>%s</password></replica></shard>", ports[i], userName, password)
	}
	for i := range ports {
		s, err := newServer()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		s.client = []string{client, "--host", "127.0.0.1", "--port", ports[i], "--user", s.User, "--password", s.Password, "-n"}
		if err := s.startClickHouse(ctx, daemon, ports[i], shards.String()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Cluster is the name of the cluster of all servers that ClickHouse starts.
const Cluster = "shards"

func (s *Server) startClickHouse(ctx context.Context, daemon, port, shards string) error {
	between, err := freePort()
	if err != nil {
		return err
	}
	_, http, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	d := func(name string) string { return filepath.Join(s.dir, name) + "/" }
	config := fmt.Sprintf(`<yandex>
<logger><level>warning</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><http_port>%s</http_port><tcp_port>%s</tcp_port>
<interserver_http_host>127.0.0.1</interserver_http_host><interserver_http_port>%s</interserver_http_port>
<path>%s</path><tmp_path>%s</tmp_path><user_files_path>%s</user_files_path><format_schema_path>%s</format_schema_path>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<query_log><database>system</database><table>query_log</table><flush_interval_milliseconds>7500</flush_interval_milliseconds></query_log>
<mark_cache_size>5368709</mark_cache_size><timezone>UTC</timezone>
<remote_servers><%s>%s</%[8]s></remote_servers>
</yandex>
`, http, port, between, d("data"), d("tmp"), d("files"), d("formats"), Cluster, shards)
	users := fmt.Sprintf(`<yandex>
<profiles><default><max_memory_usage>1000000000</max_memory_usage><max_threads>2</max_threads></default></profiles>
<users><%s><password_sha256_hex>%x</password_sha256_hex><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></%[1]s></users>
<quotas><default></default></quotas>
</yandex>
`, userName, sha256.Sum256([]byte(password)))
	for name, text := range map[string]string{"config.xml": config, "users.xml": users} {
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), s.handOver(path)); err != nil {
			return err
		}
	}
	if err := s.start(ctx, daemon, "--config-file="+filepath.Join(s.dir, "config.xml")); err != nil {
		return err
	}
	_, err = s.Run(ctx, "CREATE DATABASE "+s.Database+";")
	s.client = append(s.client, "--database", s.Database)
	return err
}
