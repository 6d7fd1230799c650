# Runs a server until standard input ends, which it does when the test process is gone: `watch.sh DIRECTORY COMMAND…`.
# Then the server is killed, or sent $STOP_SIGNAL, and its directory removed.
directory=$1
shift
"$@" >>"$directory/log" 2>&1 </dev/null &
server=$!
echo "$server"
cat >/dev/null
# A server that has ended may have left its number to another process: signal only a child of this shell.
if [ ! -e /proc/self/status ] || grep -qs "^PPid:[[:space:]]*$$\$" "/proc/$server/status"; then
    kill -"${STOP_SIGNAL:-KILL}" "$server" 2>/dev/null
fi
wait "$server" 2>/dev/null
rm -rf "$directory"
