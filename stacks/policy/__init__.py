"""Rules over what is declared: a Pulumi policy pack whose rules the tests run, too.

`pulumi up --policy-pack stacks/policy` refuses a deployment that breaks one. A rule is a plain function; what it finds
names the resource, what is wrong with it and how to mend it. An exemption is written beside the resource it is for: the
Sid of a statement with a wildcard, or a tag `exempt/<rule>` whose value is the reason.
"""
