# Sourced. redis-server: one, or a cluster of three masters. Needs place.sh, process.sh, port.sh, $dir.

# A cluster's nodes gossip at their port + this; Redis' own convention.
redis_bus=10000

redis_read_shape() {
	redis_nodes=
	redis_port=
	if [ -f "$dir/redis/shape" ]; then read -r redis_nodes redis_port <"$dir/redis/shape"; fi
}

redis_names() {
	local i
	for ((i = 1; i <= redis_nodes; i++)); do echo "redis-$i"; done
}

redis_choose_shape() {
	local cluster=${REDIS_CLUSTER:-} port=${REDIS_PORT:-} asked
	redis_read_shape
	case $cluster in
	'') asked=${redis_nodes:-1} ;;
	0) asked=1 ;;
	1) asked=3 ;;
	*) die "REDIS_CLUSTER=$cluster: must be 0 or 1" ;;
	esac
	if [ -n "$redis_nodes" ] && [ "$asked" != "$redis_nodes" ]; then
		die "the Redis data in $dir belong to $redis_nodes node(s), not to $asked" \
			"throw them away: DATA=wipe deploy/local/down" \
			"or keep them and use another folder: SWITCHBOARD_LOCAL_DIR=..."
	fi
	redis_nodes=$asked
	if [ "${port:=${redis_port:-6379}}" = 0 ]; then port=$(free_base "$asked" 0 $redis_bus); fi
	redis_port=$port
}

redis_spawn() {
	local node=$1 home=$dir/redis/$1 port=$((redis_port + $1 - 1)) cluster=()
	[ "$redis_nodes" = 1 ] || cluster=(--cluster-enabled yes --cluster-config-file nodes.conf)
	mkdir -p "$home"
	spawn "redis-$node" "$home/redis.log" \
		"$redis_server" "$local_scripts/redis/redis.conf" --port "$port" --dir "$home" ${cluster[@]+"${cluster[@]}"}
}

# redis_says NODE WORD...
redis_says() {
	local port=$((redis_port + $1 - 1))
	shift
	timeout 5 redis-cli -h 127.0.0.1 -p "$port" "$@" 2>/dev/null
}

redis_wait() {
	local node deadline=$((SECONDS + 120))
	for ((node = 1; node <= redis_nodes; node++)); do
		# PONG comes once the append-only file is loaded; until then the answer is LOADING.
		until [ "$(redis_says "$node" ping)" = PONG ]; do
			alive "redis-$node" || return 1
			[ $SECONDS -lt $deadline ] || die "redis-$node does not answer after 120 s" "see $dir/redis/$node/redis.log"
			sleep 0.05
		done
	done
}

redis_join() {
	local node deadline=$((SECONDS + 60))
	[ "$redis_nodes" != 1 ] || return 0
	if redis_says 1 cluster info | grep -q '^cluster_slots_assigned:0'; then
		redis-cli --cluster create $(addresses 3 "$redis_port" | tr , ' ') --cluster-yes >"$dir/redis/create.log" 2>&1 ||
			die "the Redis cluster could not be made" "see $dir/redis/create.log"
	else
		# Nodes remember each other's old ports; a meeting at the new ones corrects that.
		for node in 2 3; do redis_says 1 cluster meet 127.0.0.1 $((redis_port + node - 1)) >/dev/null; done
	fi
	for node in 1 2 3; do
		until redis_says "$node" cluster info | grep -q '^cluster_state:ok' &&
			[ "$(redis_says "$node" cluster nodes | grep -vc fail)" = 3 ]; do
			[ $SECONDS -lt $deadline ] || die "the Redis cluster does not come together" "see $dir/redis/*/redis.log"
			sleep 0.1
		done
	done
}

redis_up() {
	local node tries live asked_port=${REDIS_PORT:-} asked_nodes=
	case ${REDIS_CLUSTER:-} in 0) asked_nodes=1 ;; 1) asked_nodes=3 ;; esac
	redis_server=$("$local_scripts/install" redis)
	redis_read_shape
	live=$(running redis | wc -l)
	if [ "$live" -gt 0 ]; then
		if [ "${asked_nodes:-$redis_nodes}" != "$redis_nodes" ] ||
			{ [ "${asked_port:-0}" != 0 ] && [ "$asked_port" != "$redis_port" ]; }; then
			die "Redis runs already, $redis_nodes node(s) from port $redis_port" "first: deploy/local/down"
		fi
		if [ "$live" = "$redis_nodes" ]; then
			say "Redis is already running ($redis_nodes node$([ "$redis_nodes" = 1 ] || echo s))"
			redis_wait && redis_join || die "a Redis has just died" "see $dir/redis/*/redis.log"
			return
		fi
	fi
	for ((tries = 1; ; tries++)); do
		if [ "$live" = 0 ]; then
			redis_choose_shape
			need_free Redis REDIS_PORT $(for ((node = 0; node < redis_nodes; node++)); do echo $((redis_port + node)); done)
			mkdir -p "$dir/redis"
			echo "$redis_nodes $redis_port" >"$dir/redis/shape"
		fi
		for ((node = 1; node <= redis_nodes; node++)); do
			alive "redis-$node" || redis_spawn "$node"
		done
		redis_wait && break
		stop_all 5 $(redis_names)
		if [ "$live" = 0 ] && [ "$asked_port" = 0 ] && [ $tries -lt 4 ] &&
			grep -qs "Address already in use" "$dir"/redis/*/redis.log; then
			rm -f "$dir"/redis/*/redis.log
			continue
		fi
		die "Redis did not start" "see $dir/redis/*/redis.log"
	done
	redis_join
	say "Redis $("$redis_server" --version | sed 's/.* v=\([0-9.]*\).*/\1/'): $redis_nodes node$([ "$redis_nodes" = 1 ] || echo s) up"
}

redis_down() {
	local names
	names=$(running redis)
	if [ -n "$names" ]; then
		stop_all 10 $names
		say "Redis stopped"
	fi
	[ "${DATA:-keep}" != wipe ] || rm -rf "$dir/redis"
}

redis_env() {
	redis_read_shape
	[ -n "$(running redis)" ] || return 0
	echo "SWITCHBOARD_REDIS_ADDRS=$(addresses "$redis_nodes" "$redis_port")"
}
