package daemon

import (
	"cmp"
	"runtime/debug"
	"sync"
)

// Build is which program this is.
type Build struct {
	Version  string // of the module, "devel" for a build that has none
	Revision string // of the repository, with -dirty behind it if files were changed; "unknown"
	Go       string
}

// ReadBuild reads what the linker wrote into the program.
var ReadBuild = sync.OnceValue(func() Build {
	b := Build{Version: "devel", Revision: "unknown", Go: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	if info.Main.Version != "(devel)" {
		b.Version = cmp.Or(info.Main.Version, b.Version)
	}
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	b.Revision += dirty
	return b
})
