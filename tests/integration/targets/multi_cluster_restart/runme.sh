#!/usr/bin/env bash
set -eux
ansible-playbook -i inventory.yml test.yml -e @../../integration_config.yml "$@"
