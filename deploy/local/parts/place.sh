# Sourced. Where things are and how a script gives up.

local_scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
repository=$(cd "$local_scripts/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/switchboard

kafka_pom=$local_scripts/kafka/pom.xml
kafka_version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$kafka_pom")

die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	shift
	[ $# -eq 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

# say never fails: whoever read our stderr may be gone, and a stop must still be carried out.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2 || true; }

# use_local_dir sets $dir: data, pids and logs of one set of servers.
use_local_dir() {
	dir=${SWITCHBOARD_LOCAL_DIR:-$repository/.switchboard/local}
	mkdir -p "$dir/run"
	dir=$(cd "$dir" && pwd)
}

# services_of prints which of kafka and redis the arguments name: both when none.
services_of() {
	local service
	[ $# -gt 0 ] || set -- kafka redis
	for service; do
		case $service in
		kafka | redis) echo "$service" ;;
		*) die "unknown service \"$service\"" "known: kafka redis" ;;
		esac
	done
}
