# Runs a server until standard input ends, which it does when the test process is gone: `watch.sh DIRECTORY COMMAND…`.
# Then the server is killed, or sent $STOP_SIGNAL, and its directory removed.
directory=$1
shift
"$@" >>"$directory/log" 2>&1 </dev/null &
server=$!
echo "$server"
cat >/dev/null
kill -"${STOP_SIGNAL:-KILL}" "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$directory"
