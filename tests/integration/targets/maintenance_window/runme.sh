#!/usr/bin/env bash
set -eux
ansible-playbook test.yml "$@"
ansible-playbook --check check.yml "$@"
