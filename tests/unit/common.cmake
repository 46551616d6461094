# SPDX-License-Identifier: Apache-2.0
trivet_unit_test(log_test SOURCES unit/log_test.c LIBS trivet-common PkgConfig::JANSSON)
trivet_unit_test(config_test SOURCES unit/config_test.c LIBS trivet-common)
trivet_unit_test(common_test SOURCES unit/common_test.c LIBS trivet-common)
trivet_unit_test(tool_test SOURCES unit/tool_test.c ../statebus/tool_text.c LIBS statebus
                 trivet-common)
