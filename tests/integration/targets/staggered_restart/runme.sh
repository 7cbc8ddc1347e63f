#!/usr/bin/env bash
set -eux
ansible-playbook test.yml -e @../../integration_config.yml "$@"
