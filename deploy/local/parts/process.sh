# Sourced. Daemons by name: start, ask, stop. Needs $dir (place.sh).

# started_at prints when a process began, in the kernel's own words: a pid alone may be somebody
# else's by now, and stopping it would be worse than not stopping ours.
started_at() {
	if [ -r "/proc/$1/stat" ]; then
		# Fields count from behind the command's name, which may hold spaces and brackets.
		sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
	elif [ ! -d /proc/self ]; then
		ps -o lstart= -p "$1" 2>/dev/null
	fi
}

# spawn NAME LOGFILE COMMAND...: in a session of its own, so that a Ctrl-C meant for a script
# does not reach it, and without our lock (descriptor 9).
spawn() {
	local name=$1 log=$2
	shift 2
	mkdir -p "$(dirname "$log")"
	if command -v setsid >/dev/null; then
		setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
	else
		nohup "$@" >>"$log" 2>&1 </dev/null 9>&- &
	fi
	echo "$! $(started_at $!)" >"$dir/run/$name.pid"
}

pid_of() { [ -f "$dir/run/$1.pid" ] && cut -d' ' -f1 "$dir/run/$1.pid"; }

alive() {
	local pid since
	[ -f "$dir/run/$1.pid" ] || return 1
	read -r pid since <"$dir/run/$1.pid" || return 1
	[ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ] && ! zombie "$pid"
}

zombie() { grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# running prints the names of the service's processes that live: running kafka -> kafka-1 ...
running() {
	local file name
	for file in "$dir/run/$1-"*.pid; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .pid)
		if alive "$name"; then echo "$name"; fi
	done
}

# stop_all SECONDS NAME...: ask all first, then wait for each. Brokers that were stopped one by
# one would leave the last without the quorum that it needs to say goodbye.
stop_all() {
	local patience=$1 name deadline
	shift
	for name; do if alive "$name"; then kill -TERM "$(pid_of "$name")" 2>/dev/null || true; fi; done
	deadline=$((SECONDS + patience))
	for name; do
		while alive "$name" && [ $SECONDS -lt $deadline ]; do sleep 0.05; done
		if alive "$name"; then
			say "$name did not stop within $patience s: killed"
			kill -KILL "$(pid_of "$name")" 2>/dev/null || true
			while alive "$name"; do sleep 0.05; done
		fi
		rm -f "$dir/run/$name.pid"
	done
}
