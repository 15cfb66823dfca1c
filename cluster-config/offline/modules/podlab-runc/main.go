// Command podlab-runc is an OCI runtime: runc, asked only for what the kernel will grant.
//
// On a machine whose root lacks CAP_SYS_RESOURCE (many sandboxes), runc fails on `--privileged`
// ("unable to apply caps"), on an oom_score_adj below its own and on raised rlimits ("can't get final
// child's PID from pipe"), although nothing of this is needed to run a Kubernetes node. So before
// runc sees it, the bundle's config.json (create, run) or the process file (exec --process) loses the
// capabilities outside our bounding set and, without CAP_SYS_RESOURCE, the rlimits and too low scores.
// With all capabilities nothing is changed and this is runc.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if err := prepare(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "podlab-runc:", err)
		os.Exit(1)
	}
	runc, err := realRunc()
	if err == nil {
		err = syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "podlab-runc:", err)
	os.Exit(1)
}

// prepare edits the file that this call of runc would read, if any.
func prepare(args []string) error {
	command, rest := subcommand(args)
	switch command {
	case "create", "run":
		bundle := option(rest, "bundle", "b")
		if bundle == "" {
			bundle = "."
		}
		return edit(filepath.Join(bundle, "config.json"), func(spec map[string]any) map[string]any {
			process, _ := spec["process"].(map[string]any)
			return process
		})
	case "exec":
		if file := option(rest, "process", "p"); file != "" {
			return edit(file, func(process map[string]any) map[string]any { return process })
		}
	}
	return nil
}

// valued are runc's global options that take a value as the next word (runc(8)).
var valued = map[string]bool{"root": true, "log": true, "log-format": true, "criu": true, "rootless": true}

// subcommand splits runc's arguments at its command.
func subcommand(args []string) (string, []string) {
	for i := 0; i < len(args); i++ {
		word := args[i]
		if !strings.HasPrefix(word, "-") {
			return word, args[i+1:]
		}
		if valued[strings.TrimLeft(word, "-")] {
			i++
		}
	}
	return "", nil
}

// option reads `--name value`, `--name=value` or `-short value`.
func option(args []string, name, short string) string {
	for i, word := range args {
		key, value, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if !strings.HasPrefix(word, "-") || (key != name && key != short) {
			continue
		}
		if joined {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// edit rewrites a JSON file when its process asks for what we cannot give.
func edit(file string, process func(map[string]any) map[string]any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // A limit of 2^64-1 does not survive a float.
	var spec map[string]any
	if err := decoder.Decode(&spec); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	own, err := ourselves()
	if err != nil {
		return err
	}
	if !own.restrain(process(spec)) {
		return nil
	}
	changed, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	// In place: the caller may hold the file, and removes it by name.
	return os.WriteFile(file, changed, 0o600)
}

// realRunc finds the runc that is not this program.
func realRunc() (string, error) {
	self, _ := os.Executable()
	for _, path := range []string{os.Getenv("PODLAB_REAL_RUNC"), "/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 && path != self {
			return path, nil
		}
	}
	return exec.LookPath("runc")
}
