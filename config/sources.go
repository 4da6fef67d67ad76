package config

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// mergeFile puts a YAML file over what v has. Unknown keys, keys given twice and sections that are no
// mappings are errors, and are not merged.
func mergeFile(v *viper.Viper, file string, errs *Errors) {
	data, err := os.ReadFile(file)
	if err != nil {
		errs.add("--config", err.Error(), "")
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		// Syntax errors name the line, not what is on it; type errors cannot occur for a Node.
		errs.add("--config", file+": "+strings.TrimPrefix(err.Error(), "yaml: "), "")
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	root := doc.Content[0]
	prune(file, "", root, errs)
	var settings map[string]any
	if root.Kind != yaml.MappingNode {
		return
	}
	if err := root.Decode(&settings); err != nil {
		errs.add("--config", file+": not understood", "write plain values, without tags")
		return
	}
	if err := v.MergeConfigMap(settings); err != nil {
		errs.add("--config", file+": cannot be merged", "")
	}
}

// prune walks the mapping at key, empty for the whole file, and takes out of it what is no key or has a wrong
// shape, with an error for each.
func prune(file, key string, n *yaml.Node, errs *Errors) {
	if n.Kind != yaml.MappingNode {
		errs.add(cmp.Or(key, "--config"), file+":"+strconv.Itoa(n.Line)+": want a mapping of keys to values", "")
		return
	}
	seen := map[string]bool{}
	kept := n.Content[:0]
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		full := strings.TrimPrefix(key+"."+name.Value, ".")
		problem, hint := judgeNode(full, value)
		if seen[full] {
			problem, hint = "given twice", ""
		}
		seen[full] = true
		if problem != "" {
			errs.add(full, file+":"+strconv.Itoa(name.Line)+": "+problem, hint)
			continue
		}
		if isSection(full) {
			prune(file, full, value, errs)
		}
		kept = append(kept, name, value)
	}
	n.Content = kept
}

// judgeNode says what is wrong with the shape of a value, or nothing.
func judgeNode(key string, value *yaml.Node) (problem, hint string) {
	_, isLeaf := leafOf(key)
	section := isSection(key)
	switch {
	case !isLeaf && !section:
		return "unknown key", nearest(key, keyNames())
	case value.Kind == yaml.AliasNode:
		return "aliases are not used here", "write the value"
	case value.Tag == "!!null":
		return "has no value", `leave the key out for the default, or write ""`
	case section != (value.Kind == yaml.MappingNode):
		if section {
			return "want keys below it", ""
		}
		return "want a value, not keys below it", ""
	}
	return "", ""
}

func keyNames() []string {
	names := make([]string, len(leaves))
	for i, l := range leaves {
		names[i] = l.key
	}
	return names
}

// environment is the variables with our prefix; of one that is given twice the last holds.
func environment(environ []string) map[string]string {
	found := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) {
			found[name] = value
		}
	}
	return found
}

// setVariables sets the keys that the variables name and says how many. source is for messages.
func setVariables(v *viper.Viper, source string, variables map[string]string, errs *Errors) (set int) {
	known := []string{}
	byName := map[string]leaf{}
	for _, l := range leaves {
		byName[l.variable()] = l
		known = append(known, l.variable())
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		l, ok := byName[name]
		if !ok {
			l, ok = byName[strings.TrimSuffix(name, "_FILE")]
			if !ok || !l.secret() {
				if !isNoKey(name) {
					errs.add(name, source+": unknown variable", nearest(name, known))
				}
				continue
			}
			if _, both := variables[l.variable()]; both {
				errs.add(l.key, source+": both "+l.variable()+" and "+name+" are set", "keep one")
				continue
			}
			data, err := os.ReadFile(value)
			if err != nil {
				errs.add(l.key, name+": "+err.Error(), "")
				continue
			}
			value = strings.TrimRight(string(data), "\r\n")
		}
		v.Set(l.key, value)
		set++
	}
	return set
}

// identifies are the variables that point at an installation: one that has them is not dev's.
var identifies = []string{"SWITCHBOARD_ENV", "SWITCHBOARD_KAFKA_KIND", "SWITCHBOARD_KAFKA_BROKERS", "SWITCHBOARD_REDIS_KIND", "SWITCHBOARD_REDIS_ADDRS"}

// devEnv is what `switchboard dev` wrote, if it is to be used.
func devEnv(o Options, env map[string]string, errs *Errors) (file string, values map[string]string) {
	isSet := func(name string) bool { _, ok := env[name]; return ok }
	if o.Dir == "" || o.File != "" || slices.ContainsFunc(identifies, isSet) {
		return "", nil
	}
	file = DevEnvFile(o.Dir, o.Environ)
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		errs.add("dev.env", err.Error(), "")
		return "", nil
	}
	var entries []string
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		switch name, _, ok := strings.Cut(line, "="); {
		case line == "" || strings.HasPrefix(line, "#"):
		case !ok || !strings.HasPrefix(name, envPrefix):
			errs.add("dev.env", file+":"+strconv.Itoa(i+1)+": want SWITCHBOARD_KEY=value", "delete the file; `switchboard dev` writes it anew")
		default:
			entries = append(entries, line)
		}
	}
	return file, environment(entries)
}
