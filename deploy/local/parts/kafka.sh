# Sourced. A stock Apache Kafka in KRaft mode: one broker or three, each also a controller.
# Needs place.sh, process.sh, port.sh and $dir.

# The controllers listen this far above the brokers.
controllers=1000
# And the listeners behind proxies this far, if there are any.
proxied=2000

kafka_java=()

# kafka_java_command sets kafka_java, the command line that all of Kafka's programs begin with.
kafka_java_command() {
	local java jars
	java=$("$local_scripts/install" java)
	jars=$("$local_scripts/install" kafka)
	kafka_java=("$java" -cp "$jars/*")
}

# The shape is written beside the data, since data formatted for one broker is useless to three.
kafka_read_shape() {
	kafka_brokers=
	kafka_port=
	if [ -f "$dir/kafka/shape" ]; then read -r kafka_brokers kafka_port <"$dir/kafka/shape"; fi
}

kafka_names() {
	local i
	for ((i = 1; i <= kafka_brokers; i++)); do echo "kafka-$i"; done
}

# kafka_choose_shape: what was asked for, else what the data says, else one broker at 9092.
kafka_choose_shape() {
	local asked=${BROKERS:-} port=${KAFKA_PORT:-}
	kafka_read_shape
	case ${asked:=${kafka_brokers:-1}} in 1 | 3) ;; *) die "BROKERS=$asked: must be 1 or 3" ;; esac
	if [ -n "$kafka_brokers" ] && [ "$asked" != "$kafka_brokers" ]; then
		die "the Kafka data in $dir were made with BROKERS=$kafka_brokers, not $asked" \
			"throw them away: DATA=wipe deploy/local/down" \
			"or keep them and use another folder: SWITCHBOARD_LOCAL_DIR=..."
	fi
	kafka_brokers=$asked
	if [ "${port:=${kafka_port:-9092}}" = 0 ]; then port=$(free_base "$asked" 0 $controllers ${KAFKA_PROXY_PORT:+$proxied}); fi
	kafka_port=$port
}

kafka_configure() {
	local node=$1 home=$dir/kafka/$1 replicas=$kafka_brokers min_isr=1 voters= i
	[ "$replicas" = 1 ] || min_isr=2
	for ((i = 1; i <= kafka_brokers; i++)); do
		voters+=${voters:+,}$i@127.0.0.1:$((kafka_port + controllers + i - 1))
	done
	mkdir -p "$home"
	{
		cat "$local_scripts/kafka/common.properties"
		[ "${TEST:-0}" = 0 ] || cat "$local_scripts/kafka/test.properties"
		cat <<-EOF

			node.id=$node
			controller.quorum.voters=$voters
			listeners=PLAINTEXT://127.0.0.1:$((kafka_port + node - 1)),CONTROLLER://127.0.0.1:$((kafka_port + controllers + node - 1))
			advertised.listeners=PLAINTEXT://127.0.0.1:$((kafka_port + node - 1))
			log.dirs=$home/data
			default.replication.factor=$replicas
			min.insync.replicas=$min_isr
			offsets.topic.replication.factor=$replicas
			transaction.state.log.replication.factor=$replicas
			transaction.state.log.min.isr=$min_isr
			share.coordinator.state.topic.replication.factor=$replicas
			share.coordinator.state.topic.min.isr=$min_isr
		EOF
		[ -z "${KAFKA_PROXY_PORT:-}" ] || kafka_behind_proxies "$node"
	} >"$home/server.properties"
}

# kafka_behind_proxies adds a listener whose address, as clients are told it, is that of somebody who passes bytes on (tests/backend). The brokers
# go on talking to each other directly.
kafka_behind_proxies() {
	local own=$((kafka_port + $1 - 1)) behind=$((kafka_port + proxied + $1 - 1))
	cat <<-EOF
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
		listeners=PLAINTEXT://127.0.0.1:$own,PROXIED://127.0.0.1:$behind,CONTROLLER://127.0.0.1:$((kafka_port + controllers + $1 - 1))
		advertised.listeners=PLAINTEXT://127.0.0.1:$own,PROXIED://127.0.0.1:$((KAFKA_PROXY_PORT + $1 - 1))
	EOF
}

# kafka_format gives the folders that are new their identity: the cluster's id is a part of
# every position, so it is chosen once and kept with the data.
kafka_format() {
	local id=$dir/kafka/cluster-id node pids=() pid
	while ! [ -s "$id" ] || grep -q '^-' "$id"; do
		head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 1-22 >"$id"
	done
	for ((node = 1; node <= kafka_brokers; node++)); do
		[ -f "$dir/kafka/$node/data/meta.properties" ] && continue
		"${kafka_java[@]}" -Xmx128m -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$local_scripts/kafka/tools-log4j2.properties" \
			kafka.tools.StorageTool format -t "$(cat "$id")" -c "$dir/kafka/$node/server.properties" \
			>"$dir/kafka/$node/format.log" 2>&1 9>&- &
		pids+=($!)
	done
	for pid in ${pids[@]+"${pids[@]}"}; do
		wait "$pid" || die "formatting Kafka's storage failed" "see $dir/kafka/*/format.log"
	done
}

kafka_spawn() {
	local node=$1 heap=-Xmx512m
	[ "$kafka_brokers" = 1 ] || heap=-Xmx384m
	# Three that tests start and kill: the second compiler and parallel collectors would cost more than they gain.
	[ "$kafka_brokers" = 1 ] || [ "${TEST:-0}" = 0 ] || heap+=" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
	spawn "kafka-$node" "$dir/kafka/$node/stdout.log" \
		"${kafka_java[@]}" $heap -XX:+ExitOnOutOfMemoryError \
		-Dlog4j2.configurationFile="$local_scripts/kafka/log4j2.properties" \
		-Dswitchboard.log.dir="$dir/kafka/$node" \
		kafka.Kafka "$dir/kafka/$node/server.properties"
}

# kafka_sees prints how many brokers the one at this port knows: a Metadata request, version 1,
# for no topics, by hand, since the stock tools take seconds to say the same.
kafka_sees() {
	local answer
	answer=$(timeout 2 bash -c '
		exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
		printf "\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0" >&3
		head -c 12 <&3 | od -An -tu1' - "$1" 2>/dev/null) || true
	# length, correlation id, number of brokers: four bytes each
	set -- $answer
	echo "${12:-0}"
}

# kafka_wait: ready is each broker answering that it knows all. Fails when one dies.
kafka_wait() {
	local node deadline=$((SECONDS + 120))
	for ((node = 1; node <= kafka_brokers; node++)); do
		until [ "$(kafka_sees $((kafka_port + node - 1)))" = "$kafka_brokers" ]; do
			alive "kafka-$node" || return 1
			[ $SECONDS -lt $deadline ] || die "kafka-$node does not answer after 120 s" "see $dir/kafka/$node/kafka.log"
			sleep 0.1
		done
	done
}

kafka_up() {
	local node tries live asked_port=${KAFKA_PORT:-} asked_brokers=${BROKERS:-}
	kafka_read_shape
	live=$(running kafka | wc -l)
	if [ "$live" -gt 0 ]; then
		if [ "${asked_brokers:-$kafka_brokers}" != "$kafka_brokers" ] ||
			{ [ "${asked_port:-0}" != 0 ] && [ "$asked_port" != "$kafka_port" ]; }; then
			die "Kafka runs already, with BROKERS=$kafka_brokers KAFKA_PORT=$kafka_port" "first: deploy/local/down"
		fi
		if [ "$live" = "$kafka_brokers" ]; then
			say "Kafka $kafka_version is already running ($kafka_brokers broker$([ "$kafka_brokers" = 1 ] || echo s))"
			kafka_wait || die "a broker has just died" "see $dir/kafka/*/kafka.log"
			return
		fi
	fi
	kafka_java_command
	for ((tries = 1; ; tries++)); do
		if [ "$live" = 0 ]; then
			kafka_choose_shape
			need_free Kafka KAFKA_PORT $(for ((node = 0; node < kafka_brokers; node++)); do
				echo $((kafka_port + node)) $((kafka_port + controllers + node))
			done)
			mkdir -p "$dir/kafka"
			for ((node = 1; node <= kafka_brokers; node++)); do kafka_configure "$node"; done
			kafka_format
			echo "$kafka_brokers $kafka_port" >"$dir/kafka/shape"
		fi
		for ((node = 1; node <= kafka_brokers; node++)); do
			alive "kafka-$node" || kafka_spawn "$node"
		done
		kafka_wait && break
		# Between choosing a free port and binding it, somebody else may have been quicker.
		stop_all 5 $(kafka_names)
		if [ "$live" = 0 ] && [ "$asked_port" = 0 ] && [ $tries -lt 4 ] &&
			grep -qs "Address already in use" "$dir"/kafka/*/kafka.log; then
			rm -f "$dir"/kafka/*/kafka.log
			continue
		fi
		tail -n 5 "$dir"/kafka/*/stdout.log >&2 || true
		die "Kafka did not start" "see $dir/kafka/*/kafka.log"
	done
	say "Kafka $kafka_version: $kafka_brokers broker$([ "$kafka_brokers" = 1 ] || echo s) up"
}

kafka_down() {
	local names
	names=$(running kafka)
	if [ -n "$names" ]; then
		stop_all 20 $names
		say "Kafka stopped"
	fi
	[ "${DATA:-keep}" != wipe ] || rm -rf "$dir/kafka"
}

kafka_env() {
	kafka_read_shape
	[ -n "$(running kafka)" ] || return 0
	echo "SWITCHBOARD_KAFKA_BROKERS=$(addresses "$kafka_brokers" "$kafka_port")"
}
