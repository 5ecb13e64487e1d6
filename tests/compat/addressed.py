"""Texts that are no strict JSON, and that name somebody: for the bridge and for the shim."""

from compat.address import MOST_TOKENS

MUCH = "[" + "1," * 20_000 + "1]"
MORE = "[" + "[]," * 20_000 + "1]"

TO_ALICE = [
    *(r'{"to":"alice","msg":"x \ud83d"}', r'{"msg":"\udc00 x","to":"alice"}'),
    *('{"a":NaN,"to":"alice"}', '{"to":"alice","a":[-Infinity]}', '{"to":"alice","a":1e400}'),
    *('\ufeff{"to":"alice"}', '\x00 {"to":"alice"}\x00', '{"to":"alice"}\r\n\x1a', '{"to":"alice","msg":"a\nb\x01"}'),
    *('{"to":"alice","a":' + "[" * 40 + "]" * 40 + "}", '{"a":' + "[" * 30_000 + "]" * 30_000 + ',"to":"alice"}'),
    *('{"to":"alice","a":' + "[" * 30_000 + "]" * 30_000 + "}", '{"to":"alice","a":' + "[" * 60_000),
    *(
        '{"to":"alice","msg":"x',
        '{"to":"alice"',
        '{"to":"alice",}',
        '{"to":"alice","a":[1,],}',
        '{"to":"alice","a":01}',
    ),
    *(
        '{"to":"alice","a":"\\x"}',
        '{"to":"alice" "a":1}',
        '{"a":1}{"to":"alice"}',
        '{"to":"alice"} and more',
        "{to:alice}",
    ),
    *("{'to':'alice'}", "{'msg':'say \"hi\"','to':'alice'}", '{to:"alice"}', '{"to"="alice"}', '{"to" => "alice"}'),
    *('({"to":"alice"});', '// a\n{/* "to":"b" */"to":"alice"}', '{"to":"eve","to":"alice","a":NaN}'),
    *('{"\\u0074o":"alice","a":NaN}', '{"\\u0074o":"\\u0061lice","a":NaN', '{"to":"al\\u0069ce","a":' + "[" * 3000),
    *(
        '{"data":{"to":"eve"},"to":"alice","a":NaN}',
        '{"a":[{"to":"eve"}],"to":"alice","msg":"x',
        '{"to":"alice","a":"\\"}',
    ),
    *(
        '{"a":' + MUCH + ',"to":"alice"}',
        '{"a":' + MORE + ',"\\u0074o":"alice"}',
        '{"to":"alice","a":' + "[NaN]," * 9_000,
    ),
    *('{"to":"alice","a":' + "9" * 5_000 + "}", '{"to_id":null,"to":"alice","a":NaN}', '{"to_id":NaN,"to":"alice"}'),
    *(
        '{"a":1 \' ,"to":"alice"}',
        '{"to":"bob","a":' + MUCH + ',"to":"alice"}',
        '{"msg":"it\'s","to":"alice",}',
        "{'msg':'it\\'s','to':'alice'}",
    ),
    *('ï»¿{"to":"alice"}', '# c\n{"to":"alice"}', '<!--\n{"to":"alice",}', ')]}\',\n{"to":"alice"}'),
    *('for(;;);{"to":"alice"}', 'while(1);{"to":"alice"}', '{\\"to\\":\\"alice\\"}'),
    *(form.encode("utf-16-le").decode() for form in ('{"to":"alice"}', '{"a":NaN,"to":"alice"}', "{'to':'alice'}")),
    '{"to":"alice"}'.encode("utf-16-be").decode(),
    *('{"\\x74o":"alice"}', "{'t\\u006f':'alice'}", '{"t\\u{6f}":"alice","a":NaN}', '{"\\t\\o":"eve","t\\o":"alice"}'),
    *('{"to"/*c*/:"alice",}', '{"to": // c\n "alice",}', '{"to"\u2028:\ufeff"alice"}', "{u'to': u'alice', b'a': None}"),
    "{'to': b'alice'}",
]
"""They are for alice alone."""

UNREADABLE = [
    *('{"to":1e400}', '{"to":NaN,"msg":"a"}', '{"to":-Infinity}', '{"to":Infinity,}', '{"to":-NaN}'),
    *('{"to":"ali', '{"to":', '{"to":}', '{"to":,"a":1}', '{"to":"a\\x"}', '{"to":"a\\u12"}', "{'to':'a\\'b'}"),
    *(
        '{"to":007}',
        '{"to":0x7}',
        '{"to":1_0}',
        '{"to":' + "9" * 5_000 + "}",
        '{"to":' + "9" * 3_000 + ',"a":' + MUCH + "}",
    ),
    *(
        '{"to":1e400,"a":' + MUCH + "}",
        '{"a":"b"","to":"alice"}',
        '{"a":1],"to":"alice"',
    ),
    *(
        '{"a":[1,"to":"alice"}',
        '{"a":1],"to":"alice"}',
        '{"a":{"b":NaN,"to":"alice"}',
        '{"a":"\\"","b":"x\\"to\\":',
    ),
    *('{"to" "alice"}', '{"to";"alice"}', '{"a":1,"to"', '{t\\u006f:"alice"}', '{"a":1], to: 7}'),
    *('{"a":{"\\u0074o":1,"b":', '{"é":{"\\u00e9":1', '{"a":"' + '","' * 2 * MOST_TOKENS + '","to":"alice"}'),
    *('{"a":[' + '{"to":1},' * 5 * MOST_TOKENS + "NaN]}", '{"a":[{"to":1}],"b":NaN'),
]
"""They name a recipient that cannot be read."""
