#!/usr/bin/env bash
# The figures of `benches/README.md` and of the manual, as a table in Markdown: `benches/figures.sh [CONTENDER…]`.
# With WRITE=1 also into both pages. It takes about four minutes; nobody else should use the machine meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/clients/lib.sh
NODE_DIR=benches/figures

install_node 22
export NODE_ENV=production
cargo bench --quiet -p grantor-benches --bench figures --no-run
table=$(cargo bench --quiet -p grantor-benches --bench figures -- "$@")
echo "$table"
[ -n "${WRITE:-}" ] || exit 0
for page in benches/README.md src/manual/figures.md; do
    TABLE=$table python3 - "$page" <<'PYTHON'
import os, sys
page = open(sys.argv[1]).read()
begin, end = "<!-- figures -->\n", "\n<!-- /figures -->"
before, rest = page.split(begin)
_, after = rest.split(end)
open(sys.argv[1], "w").write(before + begin + os.environ["TABLE"].strip() + end + after)
PYTHON
done
