# Sourced. The same two servers from deploy/compose.yaml, for a machine with Docker and no Java.
# Needs place.sh, port.sh and $dir.

# One project per folder, so that two checkouts do not stop each other's containers.
docker_compose() {
	KAFKA_PORT=$docker_kafka_port REDIS_PORT=$docker_redis_port \
		docker compose -f "$repository/deploy/compose.yaml" -p "switchboard-$(cksum <<<"$dir" | cut -d' ' -f1)" "$@"
}

docker_runs() {
	[ -f "$dir/docker" ] && read -r docker_kafka_port docker_redis_port <"$dir/docker"
}

# docker_instead SERVICES: only when Kafka is wanted, no Java is here, and a daemon answers.
docker_instead() {
	docker_runs && return
	case $1 in *kafka*) ;; *) return 1 ;; esac
	if [ -n "$(running kafka)$(running redis)" ] || type -P java >/dev/null || [ -n "${JAVA_HOME:-}" ]; then return 1; fi
	type -P docker >/dev/null && docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

docker_up() {
	if [ "${BROKERS:-1}" != 1 ] || [ "${REDIS_CLUSTER:-0}" != 0 ]; then
		die "deploy/compose.yaml has one broker and one Redis" \
			"for BROKERS=3 or REDIS_CLUSTER=1 install a Java runtime (17 or newer): deploy/local/install java"
	fi
	if ! docker_runs; then
		docker_kafka_port=${KAFKA_PORT:-9092}
		docker_redis_port=${REDIS_PORT:-6379}
		if [ "$docker_kafka_port" = 0 ]; then docker_kafka_port=$(free_base 1 0); fi
		if [ "$docker_redis_port" = 0 ]; then docker_redis_port=$(free_base 1 0); fi
		echo "$docker_kafka_port $docker_redis_port" >"$dir/docker"
	fi
	say "no Java here: using Docker (deploy/compose.yaml)"
	# --wait: until the health checks of both pass, which ask the servers themselves.
	docker_compose up -d --wait "$@" >&2
	: >"$dir/env"
	for service; do
		case $service in
		kafka) echo "SWITCHBOARD_KAFKA_BROKERS=127.0.0.1:$docker_kafka_port" ;;
		redis) echo "SWITCHBOARD_REDIS_ADDRS=127.0.0.1:$docker_redis_port" ;;
		esac
	done >>"$dir/env"
}

docker_down() {
	local volumes=()
	[ "${DATA:-keep}" != wipe ] || volumes=(--volumes)
	if [ $# = 1 ]; then
		docker_compose stop "$1" >&2
		return
	fi
	docker_compose down ${volumes[@]+"${volumes[@]}"} >&2
	rm -f "$dir/docker" "$dir/env"
}
