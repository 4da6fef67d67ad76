# Sourced. Ports.

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_base COUNT OFFSET...: a port p such that for each offset p+offset .. p+offset+COUNT-1 are free.
# Always below the range from which the kernel gives ports to outgoing connections: there, a
# client that keeps dialling a stopped server on this machine can end up connected to itself.
free_base() {
	local count=$1 base tries offset i
	shift
	for ((tries = 0; tries < 200; tries++)); do
		base=$((11000 + RANDOM % 9000))
		for offset; do
			for ((i = 0; i < count; i++)); do
				if port_taken $((base + offset + i)); then continue 3; fi
			done
		done
		echo "$base"
		return
	done
	die "found no $count free ports between 11000 and 20000"
}

# need_free WHAT VARIABLE PORT...
need_free() {
	local what=$1 variable=$2 port
	shift 2
	for port; do
		if port_taken "$port"; then
			die "port $port, wanted for $what, belongs to another program" \
				"stop that program, or choose: $variable=0 (any free port) or $variable=<port>"
		fi
	done
}

# addresses COUNT BASE -> 127.0.0.1:9092,127.0.0.1:9093,...
addresses() {
	local i list=
	for ((i = 0; i < $1; i++)); do list+=${list:+,}127.0.0.1:$(($2 + i)); done
	echo "$list"
}
