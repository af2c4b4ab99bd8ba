#!/usr/bin/env bash
# Starts a software TPM with a P-256 key in it, and runs a program with the settings to find it.
set -euo pipefail
if [[ $1 != --inside ]]; then
  # A TPM has room for three objects; the resource manager, which talks over D-Bus, swaps them.
  exec dbus-run-session -- "$0" --inside "$@"
fi
shift
folder=$1
shift
mkdir -p "$folder/state" "$folder/store"
swtpm_setup --tpm2 --tpmstate "$folder/state" --overwrite --pcr-banks sha256 >/dev/null
swtpm socket --tpm2 --tpmstate "dir=$folder/state" --flags not-need-init,startup-clear \
  --server "type=unixio,path=$folder/tpm" --ctrl "type=unixio,path=$folder/tpm.ctrl" &
tpm=$!
manager=
trap 'kill $manager "$tpm" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  [[ -S $folder/tpm ]] && break
  sleep 0.05
done
tpm2-abrmd --allow-root --session --tcti="swtpm:path=$folder/tpm" &
manager=$!
export TPM2_PKCS11_STORE="$folder/store"
export TPM2_PKCS11_TCTI=tabrmd:bus_type=session
export TPM2TOOLS_TCTI="$TPM2_PKCS11_TCTI"
export TPM2_PKCS11_LOG_LEVEL=0
for _ in $(seq 100); do
  tpm2_getrandom 1 >/dev/null 2>&1 && break
  sleep 0.05
done
tpm2_ptool init --path "$folder/store" >/dev/null
tpm2_ptool addtoken --pid 1 --label device --userpin 1234 --sopin 5678 --path "$folder/store" >/dev/null
tpm2_ptool addkey --algorithm ecc256 --label device --key-label firmware --userpin 1234 --path "$folder/store" >/dev/null
"$@"
